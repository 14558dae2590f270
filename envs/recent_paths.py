"""The paths of an agent's last episodes in the plane, from a stream of visited states."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

RECENT_PATHS = 50  # of one stream of experience; enough for a picture

Array = NDArray[np.float64]


class RecentPaths:
    """Cuts a stream of places into episodes and keeps the last of them.

    Trackers are not shown the states at which episodes start, so every path begins at the place
    where episodes start on average.

    Args:
        start: That place, 2 numbers.
        time_step: Seconds of a step, where the stream is not of places but of the velocities at
            the ends of steps; they are summed up.
        stride: Steps between two places that are kept; the last place is always kept.
    """

    def __init__(
        self, start: Sequence[float], *, time_step: float | None = None, stride: int = 1
    ) -> None:
        self._start, self._stride = np.array([start], dtype=np.float64), stride
        self._time_step = time_step
        self._open: list[list[Array]] = []  # by copy: parts of its unfinished episode
        self._recent: list[Array] = []  # oldest first; this stream's own, then the merged ones
        self._merged: list[Array] = []

    def update(self, places: Array, ends: NDArray[np.bool_]) -> list[Array]:
        """Take in T successive steps of n environment copies.

        Args:
            places: Reached by each step (or velocities), shape (T, n, 2).
            ends: Whether each step ended an episode, shape (T, n).

        Returns:
            The paths of the episodes that ended, in the order of time, each (steps + 1, 2).

        Raises:
            ValueError: If episodes of another number of copies are open.
        """
        self._fit(places.shape[1])
        closed = []
        begin = np.zeros(places.shape[1], dtype=np.int64)
        for step, copy in np.argwhere(ends).tolist():
            parts = [*self._open[copy], places[begin[copy] : step + 1, copy]]
            closed.append(self._path(np.concatenate(parts)))
            self._open[copy] = []
            begin[copy] = step + 1
        for copy in np.flatnonzero(begin < len(places)).tolist():
            self._open[copy].append(places[begin[copy] :, copy].copy())
        self._recent = (self._recent + [self._thinned(path) for path in closed])[-RECENT_PATHS:]
        return closed

    def merge(self, other: RecentPaths) -> None:
        """Add the finished paths of another stream."""
        self._merged = self._merged + other._recent + other._merged

    def array(self) -> Array:
        """All kept paths, shape (1, episodes, longest, 2); short ones end in NaN.

        The order does not depend on that of merging.
        """
        paths = sorted(self._recent + self._merged, key=lambda path: path.tobytes())
        longest = max((len(path) for path in paths), default=1)
        array = np.full((1, len(paths), longest, 2), np.nan)
        for row, path in zip(array[0], paths, strict=True):
            row[: len(path)] = path
        return array

    def state_dict(self) -> dict[str, Any]:
        """All paths, unfinished ones included."""
        return {
            "open": [np.concatenate([np.zeros((0, 2)), *parts]) for parts in self._open],
            "recent": [path.copy() for path in self._recent],
            "merged": [path.copy() for path in self._merged],
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Take up a state of :meth:`state_dict`."""
        parts = [np.array(part, dtype=np.float64).reshape(-1, 2) for part in state["open"]]
        self._open = [[part] if len(part) else [] for part in parts]
        self._recent, self._merged = (
            [np.array(path, dtype=np.float64).reshape(-1, 2) for path in state[name]]
            for name in ("recent", "merged")
        )

    def _fit(self, copies: int) -> None:
        if len(self._open) != copies:
            if any(self._open):
                raise ValueError(f"episodes of {len(self._open)} copies are open, got {copies}")
            self._open = [[] for _ in range(copies)]

    def _path(self, stream: Array) -> Array:
        """The path of one episode's stream, shape (steps, 2)."""
        if self._time_step is None:
            return np.concatenate([self._start, stream])
        return np.cumsum(np.concatenate([self._start, self._time_step * stream]), axis=0)

    def _thinned(self, path: Array) -> Array:
        if self._stride == 1:
            return path
        kept = path[:: self._stride]
        return kept if (len(path) - 1) % self._stride == 0 else np.concatenate([kept, path[-1:]])
