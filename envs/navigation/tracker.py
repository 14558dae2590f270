"""How the m-hall world is explored: halls reached, places visited, their entropy."""

from __future__ import annotations

import copy
import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from expedition.envs.histogram import RecentStates, StateHistogram, corrected_entropy, entropy
from expedition.envs.navigation.episodes import EpisodeLog, OpenEpisodes
from expedition.envs.navigation.geometry import (
    CENTRE_RADIUS,
    GOAL_RADIUS,
    HALL_WIDTH,
    HallGeometry,
)

FINE_BIN = 0.5  # world units; the coarse bins are twice as wide
RECENT_STEPS = 5_000  # states behind the entropies of a learning curve: 50 full episodes
MIN_VISIT_SHARE = 0.01  # of the recent episodes' steps, for a hall to count as visited


class HallTracker:
    """Coverage tracker of the m-hall world.

    A hall is *explored* when the disc of radius 0.5 around its end is entered, whether or not a
    goal is rewarded there. Fractions are of all m halls. Metrics:

    - ``halls_window``: halls explored in a window of 10 episodes, mean over the last 5 completed
      windows; before the first is complete, the halls explored so far.
    - ``halls_visited``: halls explored in the last 100 episodes in which at least 1% of those
      episodes' steps were spent.
    - ``halls_cumulative``: halls explored ever.
    - ``position_entropy``, ``position_entropy_fine``: plug-in entropy (nats) of the position over
      the last 5000 steps, in square bins of width 1.0 and 0.5.
    - ``position_entropy_corrected``: the first of these with the Miller-Madow bias correction.
    - ``position_entropy_lifetime``: plug-in entropy over all steps, bins of width 1.0.
    - ``episode_radius``: largest distance from the origin in an episode, mean over the last 100.
    - ``max_radius``: largest distance from the origin ever.

    Trackers that saw disjoint experience (the runners of one trial) merge: "last" then means the
    last of each runner, and the 5000 recent steps are shared between the runners, so that entropies
    of one and of sixty-four runners have the same sample size. No metric depends on the order of
    merging. Episodes that are still open count in ``halls_cumulative``, ``max_radius`` and the
    entropies only, and stay with the tracker that saw them begin.

    Args:
        geometry: The halls.
    """

    def __init__(self, geometry: HallGeometry) -> None:
        self.geometry = geometry
        self._visits = StateHistogram([FINE_BIN, FINE_BIN])
        self._recent = RecentStates(RECENT_STEPS, dimensions=2)
        self._logs = [EpisodeLog(geometry.halls)]  # this tracker's own, then the merged ones
        self._explored = np.zeros(geometry.halls, dtype=bool)
        self._max_radius = 0.0
        self._open = OpenEpisodes(geometry.halls)

    def update(self, states: NDArray[np.floating], ends: NDArray[np.bool_]) -> None:
        """Take in T successive steps of n copies of the environment.

        Args:
            states: Positions reached, shape (T, n, d >= 2); further coordinates are ignored. True
                final observations at episode ends.
            ends: Whether the step ended its episode, shape (T, n).

        Raises:
            ValueError: If the shapes do not fit, or n is not that of episodes begun before.
        """
        positions = np.asarray(states, dtype=np.float64)[..., :2]
        ends = np.asarray(ends, dtype=bool)
        if positions.shape != (*ends.shape, 2) or ends.ndim != 2:
            raise ValueError(
                f"expected states (T, n, d >= 2) and ends (T, n), got {np.shape(states)} "
                f"and {ends.shape}"
            )
        flat = positions.reshape(-1, 2)
        self._visits.add(flat)
        self._recent.add(flat)
        radii = np.sqrt((positions * positions).sum(axis=-1))
        reached, inside = self._halls(positions)
        self._explored |= reached.any(axis=(0, 1))
        self._max_radius = max(self._max_radius, float(radii.max(initial=0.0)))
        self._open.fit(ends.shape[1])
        self._close_episodes(reached, inside, radii, ends)

    def merge(self, other: HallTracker) -> None:
        """Add what another tracker saw of the same world.

        Raises:
            ValueError: If it is of another world.
        """
        if other.geometry != self.geometry:
            raise ValueError(f"cannot merge a tracker of {other.geometry} into {self.geometry}")
        self._visits.merge(other._visits)
        self._recent.merge(other._recent)
        # Shallow copies do: logs replace their arrays and never write into them.
        self._logs.extend(copy.copy(log) for log in other._logs)
        self._explored |= other._explored
        self._max_radius = max(self._max_radius, other._max_radius)

    def metrics(self) -> dict[str, float]:
        """Evaluate all metrics of the class docstring."""
        recent = StateHistogram([FINE_BIN, FINE_BIN])
        recent.add(self._recent.states())
        recent_coarse = recent.coarsened(2).counts
        return {
            "halls_window": self._halls_window(),
            "halls_visited": self._halls_visited(),
            "halls_cumulative": float(self._explored.mean()),
            "position_entropy": entropy(recent_coarse),
            "position_entropy_fine": entropy(recent.counts),
            "position_entropy_corrected": corrected_entropy(recent_coarse),
            "position_entropy_lifetime": entropy(self._visits.coarsened(2).counts),
            "episode_radius": self._episode_radius(),
            "max_radius": self._max_radius,
        }

    def arrays(self) -> dict[str, NDArray[Any]]:
        """Visits of all steps in bins of width 0.5.

        Returns:
            ``visits`` (nx, ny) counts, ``x_edges`` (nx + 1,) and ``y_edges`` (ny + 1,).
        """
        extent = self.geometry.outer_radius
        low, high = [-extent, -extent], [extent, extent]
        x_edges, y_edges = self._visits.edges(low, high)
        return {"visits": self._visits.dense(low, high), "x_edges": x_edges, "y_edges": y_edges}

    def state_dict(self) -> dict[str, Any]:
        """Everything seen, open episodes included."""
        return {
            "visits": self._visits.state_dict(),
            "recent": self._recent.state_dict(),
            "logs": [log.state_dict() for log in self._logs],
            "explored": self._explored.copy(),
            "max_radius": self._max_radius,
            "open": self._open.state_dict(),
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Take up a state of :meth:`state_dict` of the same world."""
        self._visits.load_state_dict(state["visits"])
        self._recent.load_state_dict(state["recent"])
        self._logs = [EpisodeLog(self.geometry.halls) for _ in state["logs"]]
        for log, log_state in zip(self._logs, state["logs"], strict=True):
            log.load_state_dict(log_state)
        self._explored = np.array(state["explored"], dtype=bool)
        self._max_radius = float(state["max_radius"])
        self._open.load_state_dict(state["open"])

    def _halls(self, positions: NDArray[np.float64]) -> tuple[NDArray[np.bool_], ...]:
        """Which hall ends are entered, and which halls the agent is in, each (T, n, halls)."""
        offset = positions[..., None, :] - self.geometry.hall_ends
        reached = (offset * offset).sum(axis=-1) < GOAL_RADIUS**2
        along, across = self.geometry.local(positions)
        return reached, (along > CENTRE_RADIUS) & (np.abs(across) <= HALL_WIDTH / 2.0)

    def _close_episodes(
        self,
        reached: NDArray[np.bool_],
        inside: NDArray[np.bool_],
        radii: NDArray[np.float64],
        ends: NDArray[np.bool_],
    ) -> None:
        """Log the episodes that end, in the order of time, and carry on the open ones."""
        begin = np.zeros(ends.shape[1], dtype=np.int64)
        for t, i in np.argwhere(ends).tolist():
            span = slice(begin[i], t + 1)
            self._open.add(i, reached[span, i], inside[span, i], radii[span, i])
            self._logs[0].append(*self._open.close(i))
            begin[i] = t + 1
        for i in np.flatnonzero(begin < len(ends)).tolist():
            span = slice(begin[i], None)
            self._open.add(i, reached[span, i], inside[span, i], radii[span, i])

    def _halls_window(self) -> float:
        windows = np.concatenate([log.windows() for log in self._logs])
        if windows.size == 0:
            so_far = np.concatenate([log.reached for log in self._logs])
            return float(so_far.any(axis=0).mean())
        return float(windows.sum()) / (windows.size * self.geometry.halls)

    def _halls_visited(self) -> float:
        reached = np.concatenate([log.reached for log in self._logs]).any(axis=0)
        hall_steps = sum(log.hall_steps.sum(axis=0) for log in self._logs)
        steps = sum(int(log.lengths.sum()) for log in self._logs)
        return float((reached & (hall_steps >= MIN_VISIT_SHARE * steps)).mean())

    def _episode_radius(self) -> float:
        radii = np.concatenate([log.radii for log in self._logs])
        # fsum rounds once, so the order of merged logs does not show in the last bit.
        return math.fsum(radii) / radii.size if radii.size else 0.0
