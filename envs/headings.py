"""A coverage tracker for running in the plane: where to, how far, and how many ways."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from expedition.envs.histogram import RecentStates, entropy
from expedition.envs.recent_paths import RecentPaths

RECENT_EPISODES = 50
BINS = 8  # of 45 degrees; the first is centred on the x axis

Array = NDArray[np.float64]


class HeadingTracker:
    """The directions from start to end of the last 50 episodes.

    Metrics, all 0 before the first episode ends:

    - ``heading_entropy``: plug-in entropy (nats) of the direction in 8 bins, at most ln 8 = 2.08.
    - ``resultant_length``: length of the mean of the directions' unit vectors; 1 if all episodes
      head the same way, near 0 if they scatter (or balance) around the circle.
    - ``distance``: mean distance between start and end, in the environment's unit.

    Of merged trackers each contributes its last episodes, 50 in all.

    Args:
        axes: Where the position is in an observation or, with ``time_step``, the velocity.
        time_step: Seconds that a step lasts, where positions are hidden: then velocities are
            summed up. ``None`` where positions are observed.
        stride: Steps between two places of a path in :meth:`arrays`.
    """

    def __init__(
        self, axes: tuple[int, int], *, time_step: float | None = None, stride: int = 1
    ) -> None:
        self._axes = list(axes)
        self._paths = RecentPaths((0.0, 0.0), time_step=time_step, stride=stride)
        self._ends = RecentStates(RECENT_EPISODES, dimensions=2)

    def update(self, states: NDArray[np.floating], ends: NDArray[np.bool_]) -> None:
        """Take in T successive steps of n environment copies.

        Args:
            states: Observations, shape (T, n, d).
            ends: Whether each step ended an episode, shape (T, n).

        Raises:
            ValueError: If episodes of another number of copies are open.
        """
        moved = np.asarray(states, dtype=np.float64)[..., self._axes]
        closed = self._paths.update(moved, np.asarray(ends, dtype=bool))
        if closed:
            self._ends.add(np.array([path[-1] for path in closed]))

    def merge(self, other: HeadingTracker) -> None:
        """Add what another tracker saw."""
        self._paths.merge(other._paths)
        self._ends.merge(other._ends)

    def metrics(self) -> dict[str, float]:
        """Evaluate the metrics of the class docstring."""
        x, y = self._ends.states().T
        if not x.size:
            return dict.fromkeys(("heading_entropy", "resultant_length", "distance"), 0.0)
        heading = np.arctan2(y, x)
        bins = np.rint(heading * (BINS / (2.0 * math.pi))).astype(np.int64) % BINS
        # fsum rounds once, so the order of merging does not show in the last bit.
        along, across = math.fsum(np.cos(heading)), math.fsum(np.sin(heading))
        return {
            "heading_entropy": entropy(np.bincount(bins, minlength=BINS)),
            "resultant_length": math.hypot(along, across) / x.size,
            "distance": math.fsum(np.hypot(x, y)) / x.size,
        }

    def arrays(self) -> dict[str, Array]:
        """``paths`` (1, episodes, T, 2) from the origin, the last 50; short ones end in NaN."""
        return {"paths": self._paths.array()}

    def state_dict(self) -> dict[str, Any]:
        """Everything seen, open episodes included."""
        return {"paths": self._paths.state_dict(), "ends": self._ends.state_dict()}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Take up a state of :meth:`state_dict`."""
        self._paths.load_state_dict(state["paths"])
        self._ends.load_state_dict(state["ends"])
