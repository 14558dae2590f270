"""Coverage: what an environment's visited states say about exploration.

An environment declares how its exploration is measured by a method ``coverage_tracker()`` on the
unwrapped environment (and on its native vector form), which returns a new :class:`CoverageTracker`.
Whoever collects experience feeds it the visited states; trackers fed by different runners merge.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol, Self, runtime_checkable

import gymnasium as gym
import numpy as np
from gymnasium.vector import AsyncVectorEnv, SyncVectorEnv, VectorEnv
from numpy.typing import NDArray


@runtime_checkable
class CoverageTracker(Protocol):
    """Accumulates visited states of n copies of an environment into metrics and arrays."""

    def update(self, states: NDArray[np.floating], ends: NDArray[np.bool_]) -> None:
        """Take in T successive steps of n environment copies.

        Args:
            states: State reached by each step, shape (T, n, d). At an episode's end this is the
                true final observation, not the next episode's first one.
            ends: Whether the step ended an episode (terminated or truncated), shape (T, n).
        """
        ...

    def merge(self, other: Self) -> None:
        """Add what another tracker saw; the order of merging does not change any metric."""
        ...

    def metrics(self) -> dict[str, float]:
        """Return plain names to values; always the same names. Reading changes nothing."""
        ...

    def arrays(self) -> dict[str, NDArray[Any]]:
        """Return arrays for figures, such as ``visits`` with ``x_edges`` and ``y_edges``."""
        ...

    def state_dict(self) -> dict[str, Any]:
        """Return the whole state as plain arrays, numbers, strings, lists and dicts."""
        ...

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Take up a state of :meth:`state_dict`."""
        ...


@runtime_checkable
class SequenceTracker(Protocol):
    """A tracker with scores that may depend on the order in which episodes come."""

    def start_sequence(self) -> None:
        """Score what comes as one sequence, from its first episode on.

        For episodes that depend on one another, as when p(z) adapts: an average over their orders
        would be of sequences that cannot happen.
        """
        ...


def tracker_for(env: gym.Env | VectorEnv) -> CoverageTracker | None:
    """Make a new tracker for an environment.

    Args:
        env: A single environment, a native vector environment, or a ``SyncVectorEnv`` or
            ``AsyncVectorEnv``; wrapped or not.

    Returns:
        The tracker, or ``None`` if the environment declares none.
    """
    base = env.unwrapped
    if isinstance(base, SyncVectorEnv):
        base = base.envs[0].unwrapped
    if isinstance(base, AsyncVectorEnv):
        # Asked for by name: a missing method would end the worker processes.
        if not base.call("has_wrapper_attr", "coverage_tracker")[0]:
            return None
        return base.call("coverage_tracker")[0]
    declared = getattr(base, "coverage_tracker", None)
    return None if declared is None else declared()


def metric_names(env_id: str, env_config: Mapping[str, Any] | None = None) -> list[str]:
    """List the coverage metrics of a registered environment.

    Args:
        env_id: Gymnasium id.
        env_config: Keyword arguments of the environment.

    Returns:
        Sorted names; empty if the environment declares no tracker.
    """
    env = gym.make(env_id, **(env_config or {}))
    try:
        tracker = tracker_for(env)
        return [] if tracker is None else sorted(tracker.metrics())
    finally:
        env.close()
