"""A coverage tracker for tasks with goals in the plane: where an agent went, what it found."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from expedition.envs.goals import distances
from expedition.envs.histogram import StateHistogram

RECENT_EPISODES = 100  # of one stream of experience
GRID = 50  # bins along each side of the heat map


class GoalTracker:
    """Counts positions, goals found, and how episodes' ends scatter.

    Metrics:

    - ``goals_reached``: share of the goals that the last 100 episodes of each runner came to,
      whatever task they were set (Fig. 7 of Gupta et al. 2018 as a number).
    - ``goals_reached_lifetime``: the same of all episodes.
    - ``final_determinant``: determinant of the covariance of the last 100 episodes' final
      positions (Fig. 9); 0 before there are three.

    Args:
        goals: A fixed set of G goals, shape (G, 2).
        success_radius: Distance at which a goal counts as found.
        extent: The heat map shows the square from ``-extent`` to ``extent``.
        axes: Where the position is in an observation.
    """

    def __init__(
        self,
        goals: NDArray[np.float64],
        *,
        success_radius: float,
        extent: float,
        axes: Sequence[int] = (0, 1),
    ) -> None:
        self._goals = np.array(goals)
        self._radius, self._extent, self._axes = success_radius, extent, list(axes)
        self._visits = StateHistogram([2.0 * extent / GRID] * 2)
        self._found = np.zeros(len(goals), dtype=bool)
        self._open = np.zeros((0, len(goals)), dtype=bool)  # (copies, G), of unfinished episodes
        self._recent = np.zeros((0, len(goals)), dtype=bool)  # (episodes, G), oldest first
        self._finals = np.zeros((0, 2))

    def update(self, states: NDArray[np.floating], ends: NDArray[np.bool_]) -> None:
        """Take in T successive steps of n environment copies.

        Args:
            states: Observations, shape (T, n, d).
            ends: Whether each step ended an episode, shape (T, n).

        Raises:
            ValueError: If episodes of another number of copies are open.
        """
        positions = np.asarray(states, dtype=np.float64)[..., self._axes]
        copies = positions.shape[1]
        if len(self._open) != copies:
            if self._open.any():
                raise ValueError(f"episodes of {len(self._open)} copies are open, got {copies}")
            self._open = np.zeros((copies, len(self._goals)), dtype=bool)
        self._visits.add(positions.reshape(-1, 2))
        for reached, ended in zip(positions, np.asarray(ends), strict=True):
            self._open |= distances(reached[:, None], self._goals) <= self._radius
            if ended.any():
                self._close(reached, ended)

    def merge(self, other: GoalTracker) -> None:
        """Add what another tracker of the same goals saw.

        Raises:
            ValueError: If it counts other goals.
        """
        if not np.array_equal(other._goals, self._goals):
            raise ValueError("cannot merge trackers of different goals")
        self._visits.merge(other._visits)
        self._found |= other._found
        self._recent = np.concatenate([self._recent, other._recent])
        self._finals = np.concatenate([self._finals, other._finals])

    def metrics(self) -> dict[str, float]:
        """Evaluate the metrics of the class docstring."""
        return {
            "goals_reached": float(self._recent.any(axis=0).mean()),
            "goals_reached_lifetime": float(self._found.mean()),
            "final_determinant": determinant(self._finals),
        }

    def arrays(self) -> dict[str, NDArray[Any]]:
        """``visits`` (50, 50) of all steps, ``x_edges``, ``y_edges``, and ``goals`` (G, 2)."""
        low, high = [-self._extent] * 2, [self._extent] * 2
        x_edges, y_edges = self._visits.edges(low, high)
        visits = self._visits.dense(low, high)
        return {"visits": visits, "x_edges": x_edges, "y_edges": y_edges, "goals": self._goals}

    def state_dict(self) -> dict[str, Any]:
        """Everything seen, open episodes included."""
        return {
            "visits": self._visits.state_dict(),
            "found": self._found.copy(),
            "open": self._open.copy(),
            "recent": self._recent.copy(),
            "finals": self._finals.copy(),
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Take up a state of :meth:`state_dict` of the same goals."""
        self._visits.load_state_dict(state["visits"])
        goals = len(self._goals)
        self._found = np.array(state["found"], dtype=bool)
        self._open = np.array(state["open"], dtype=bool).reshape(-1, goals)
        self._recent = np.array(state["recent"], dtype=bool).reshape(-1, goals)
        self._finals = np.array(state["finals"], dtype=np.float64).reshape(-1, 2)

    def _close(self, positions: NDArray[np.float64], ended: NDArray[np.bool_]) -> None:
        """Move ended episodes (n,), with their final positions (n, 2), to the recent ones."""
        episodes = self._open[ended]
        self._found |= episodes.any(axis=0)
        self._recent = np.concatenate([self._recent, episodes])[-RECENT_EPISODES:]
        self._finals = np.concatenate([self._finals, positions[ended]])[-RECENT_EPISODES:]
        self._open[ended] = False


def determinant(positions: NDArray[np.float64]) -> float:
    """Determinant of the covariance of positions (episodes, 2); 0 for fewer than three."""
    if len(positions) < 3:
        return 0.0
    # Sorted, so that the last bit does not depend on the order in which trackers merged.
    ordered = positions[np.lexsort(positions.T)]
    (xx, xy), (_, yy) = np.cov(ordered.T)
    return float(max(xx * yy - xy * xy, 0.0))
