"""What the schedulers of a sweep that stop trials have in common: they judge points."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from ray.tune.schedulers import FIFOScheduler, TrialScheduler

from expedition.platform.groups import point_of
from expedition.platform.objective import Objective
from expedition.platform.plan import Trial
from expedition.platform.statistics import iqm

if TYPE_CHECKING:
    from ray.tune.execution.tune_controller import TuneController
    from ray.tune.experiment import Trial as TuneTrial


class PointStopping(FIFOScheduler):
    """Stops a trial at a result by what its point, with all its seeds, is worth against others.

    Args:
        metric: Key of a result to judge by, comparable between seeds.
        mode: ``max`` or ``min``.
    """

    def __init__(self, *, metric: str, mode: str) -> None:
        super().__init__()
        self._metric = metric
        self._sign = 1.0 if mode == "max" else -1.0

    @abstractmethod
    def record(self, point: str, seed: str, env_steps: int, value: float) -> bool:
        """Take in how good a seed of a point is.

        Args:
            point: The point.
            seed: Which of its trials.
            env_steps: Environment steps of the trial so far.
            value: Its objective, infinite where there is none yet.

        Returns:
            Whether the trial may go on.
        """

    @abstractmethod
    def recall(self, trial: Trial, rows: Sequence[Mapping[str, Any]], objective: Objective) -> None:
        """Take in a trial of an earlier launch: without it, a resumed sweep would stop nothing.

        Args:
            trial: The trial.
            rows: Its curated rows.
            objective: What it is judged by.
        """

    def on_trial_result(
        self, tune_controller: TuneController, trial: TuneTrial, result: dict[str, Any]
    ) -> str:
        """Stop a trial whose point does not pass."""
        return TrialScheduler.CONTINUE if self._passes(trial, result) else TrialScheduler.STOP

    def on_trial_complete(
        self, tune_controller: TuneController, trial: TuneTrial, result: dict[str, Any]
    ) -> None:
        """Let the last result of a trial count, which Tune does not ask about."""
        self._passes(trial, result)

    def _passes(self, trial: TuneTrial, result: Mapping[str, Any]) -> bool:
        if self._metric not in result or "env_steps" not in result:
            return True  # a trial that failed at its start
        point, seed = point_of(trial.config)
        return self.record(point, seed, int(result["env_steps"]), float(result[self._metric]))


def over_seeds(values: Sequence[float]) -> float:
    """Say what a point is worth: the interquartile mean over its seeds."""
    return iqm(np.array(values))
