"""A coverage tracker for swimming along a line: which way episodes go, and how far."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from expedition.envs.histogram import RecentStates
from expedition.envs.recent_paths import RecentPaths

RECENT_EPISODES = 1_000
MOVED = 1.0  # m; less is no progress
MIN_SHARE = 0.05  # of the episodes, for a direction to count

Array = NDArray[np.float64]


class ProgressTracker:
    """Where the last 1000 episodes end along x.

    Metrics, all 0 before the first episode ends:

    - ``forward_share``, ``backward_share``: share of the episodes that end more than 1 m ahead of,
      or behind, their start.
    - ``directions``: how many of the two have a share of at least 5 %.
    - ``progress``, ``distance``: mean end and mean absolute end, m.

    Of merged trackers each contributes its last episodes, 1000 in all.

    Args:
        axis: Where the velocity along x is in an observation; it is summed up.
        time_step: Seconds of a step.
        stride: Steps between two places of a path in :meth:`arrays`.
    """

    def __init__(self, axis: int, time_step: float, *, stride: int = 1) -> None:
        self._axis = axis
        self._paths = RecentPaths((0.0, 0.0), time_step=time_step, stride=stride)
        self._ends = RecentStates(RECENT_EPISODES, dimensions=1)

    def update(self, states: NDArray[np.floating], ends: NDArray[np.bool_]) -> None:
        """Take in T successive steps of n environment copies.

        Args:
            states: Observations, shape (T, n, d).
            ends: Whether each step ended an episode, shape (T, n).
        """
        along = np.asarray(states, dtype=np.float64)[..., self._axis]
        # The first coordinate of a path is the time, which moves at one second a second.
        velocities = np.stack([np.ones_like(along), along], axis=-1)
        closed = self._paths.update(velocities, np.asarray(ends, dtype=bool))
        if closed:
            self._ends.add(np.array([path[-1, 1:] for path in closed]))

    def merge(self, other: ProgressTracker) -> None:
        """Add what another tracker saw."""
        self._paths.merge(other._paths)
        self._ends.merge(other._ends)

    def metrics(self) -> dict[str, float]:
        """Evaluate the metrics of the class docstring."""
        ends = self._ends.states()[:, 0]
        count = max(1, ends.size)
        shares = [float((ends > MOVED).sum()) / count, float((ends < -MOVED).sum()) / count]
        return {
            "forward_share": shares[0],
            "backward_share": shares[1],
            "directions": float(sum(share >= MIN_SHARE for share in shares)),
            # fsum rounds once, so the order of merging does not show in the last bit.
            "progress": math.fsum(ends) / count,
            "distance": math.fsum(np.abs(ends)) / count,
        }

    def arrays(self) -> dict[str, Array]:
        """``paths`` (1, episodes, T, 2): time (s) and x (m); short ones end in NaN."""
        return {"paths": self._paths.array()}

    def state_dict(self) -> dict[str, Any]:
        """Everything seen, open episodes included."""
        return {"paths": self._paths.state_dict(), "ends": self._ends.state_dict()}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Take up a state of :meth:`state_dict`."""
        self._paths.load_state_dict(state["paths"])
        self._ends.load_state_dict(state["ends"])
