"""Ends a launch whose cluster has died: Tune would wait for it without end."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

import ray
from ray import tune

from expedition.platform.errors import UserError

if TYPE_CHECKING:
    from ray.tune.experiment import Trial as TuneTrial

_INTERVAL_S = 10.0


class ClusterWatch(tune.Callback):
    """Raises once no node is alive; while one is, lost ones may come back and are waited for."""

    def __init__(self) -> None:
        self._next = 0.0

    def on_step_begin(self, iteration: int, trials: list[TuneTrial], **info: Any) -> None:
        """Look at the nodes every ten seconds.

        Raises:
            UserError: All are dead.
        """
        if time.monotonic() < self._next:
            return
        self._next = time.monotonic() + _INTERVAL_S
        if not any(node["Alive"] for node in ray.nodes()):
            raise UserError(
                "every node of the Ray cluster has died (out of memory, killed, or too busy to"
                " answer); checkpoints are intact: run the same command with --resume"
            )
