"""A coverage tracker for a few equally good goals: which of them episodes come to."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from expedition.envs.goals import distances
from expedition.envs.histogram import RecentStates, entropy
from expedition.envs.recent_paths import RecentPaths

RECENT_EPISODES = 1_000
MIN_SHARE = 0.05  # of the episodes, for a goal to count as reached
_NONE = -1

Array = NDArray[np.float64]


class GoalShares:
    """Shares of the last 1000 episodes that come to each of G goals.

    Metrics, where ``goal`` is the name given to goals:

    - ``goal_share_0``, ``goal_share_1``, ...: share of the episodes that come to each goal; an
      episode belongs to the first goal it comes to.
    - ``goals_reached``: number of goals with a share of at least 5 %.
    - ``share_entropy``: entropy of the shares among episodes that come to a goal, over ln G; 0 for
      one goal alone, 1 for all alike.

    All are 0 before the first episode ends. Of merged trackers each contributes its last episodes,
    1000 in all.

    Args:
        goals: Shape (G >= 2, 2).
        radius: Distance at which an episode is at a goal.
        start: Where episodes start on average; paths begin there.
        axes: Where the position is in an observation.
        final: Whether only an episode's last state counts, or every state.
        name: What goals are called in the metrics.
    """

    def __init__(
        self,
        goals: Array,
        *,
        radius: float,
        start: tuple[float, float] = (0.0, 0.0),
        axes: tuple[int, int] = (0, 1),
        final: bool = False,
        name: str = "goal",
    ) -> None:
        self._goals = np.array(goals, dtype=np.float64)
        self._radius, self._axes = radius, list(axes)
        self._final, self._name = final, name
        self._paths = RecentPaths(start)
        self._found = RecentStates(RECENT_EPISODES, dimensions=1)  # indices of goals

    def update(self, states: NDArray[np.floating], ends: NDArray[np.bool_]) -> None:
        """Take in T successive steps of n environment copies.

        Args:
            states: Observations, shape (T, n, d).
            ends: Whether each step ended an episode, shape (T, n).

        Raises:
            ValueError: If episodes of another number of copies are open.
        """
        places = np.asarray(states, dtype=np.float64)[..., self._axes]
        closed = self._paths.update(places, np.asarray(ends, dtype=bool))
        if closed:
            self._found.add(np.array([[self._goal_of(path)] for path in closed]))

    def merge(self, other: GoalShares) -> None:
        """Add what another tracker of the same goals saw.

        Raises:
            ValueError: If it counts other goals.
        """
        if not np.array_equal(other._goals, self._goals):
            raise ValueError("cannot merge trackers of different goals")
        self._paths.merge(other._paths)
        self._found.merge(other._found)

    def metrics(self) -> dict[str, float]:
        """Evaluate the metrics of the class docstring."""
        found = self._found.states().astype(np.int64).ravel()
        counts = np.bincount(found[found != _NONE], minlength=len(self._goals))
        shares = counts / max(len(found), 1)
        each = {f"{self._name}_share_{goal}": float(share) for goal, share in enumerate(shares)}
        return each | {
            f"{self._name}s_reached": float((shares >= MIN_SHARE).sum()),
            "share_entropy": entropy(counts) / math.log(len(self._goals)),
        }

    def arrays(self) -> dict[str, Array]:
        """The last episodes' paths, and the goals.

        Returns:
            ``paths`` (1, episodes, T, 2), short ones ending in NaN, and ``goals`` (G, 2).
        """
        return {"paths": self._paths.array(), "goals": self._goals.copy()}

    def state_dict(self) -> dict[str, Any]:
        """Everything seen, open episodes included."""
        return {"paths": self._paths.state_dict(), "found": self._found.state_dict()}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Take up a state of :meth:`state_dict` of the same goals."""
        self._paths.load_state_dict(state["paths"])
        self._found.load_state_dict(state["found"])

    def _goal_of(self, path: Array) -> int:
        """Index of the goal that an episode comes to first, or -1."""
        visited = path[-1:] if self._final else path[1:]
        near = distances(visited[:, None], self._goals) < self._radius
        steps = np.flatnonzero(near.any(axis=1))
        return int(near[steps[0]].argmax()) if steps.size else _NONE
