"""What the recent episodes of a stream of experience did in the halls."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

WINDOW_EPISODES = 10  # episodes of one window, as in the paper's Fig. 2c
RECENT_WINDOWS = 5  # completed windows that one reading averages
RECENT_EPISODES = 100  # episodes kept; more than the recent windows span


class EpisodeLog:
    """The last 100 episodes of one stream, and how many there have been.

    Args:
        halls: Number of halls m.
    """

    def __init__(self, halls: int) -> None:
        self.count = 0
        # One row an episode, oldest first: which halls' ends it reached, its steps in every hall,
        # its length, and the largest distance from the origin.
        self.reached = np.zeros((0, halls), dtype=bool)
        self.hall_steps = np.zeros((0, halls), dtype=np.int64)
        self.lengths = np.zeros(0, dtype=np.int64)
        self.radii = np.zeros(0)

    def append(
        self,
        reached: NDArray[np.bool_],
        hall_steps: NDArray[np.int64],
        length: int,
        radius: float,
    ) -> None:
        """Add a completed episode.

        Args:
            reached: Shape (halls,).
            hall_steps: Shape (halls,).
            length: Steps of the episode.
            radius: Its largest distance from the origin.
        """
        self.count += 1
        self.reached = np.concatenate([self.reached, reached[None]])[-RECENT_EPISODES:]
        self.hall_steps = np.concatenate([self.hall_steps, hall_steps[None]])[-RECENT_EPISODES:]
        self.lengths = np.append(self.lengths, length)[-RECENT_EPISODES:]
        self.radii = np.append(self.radii, radius)[-RECENT_EPISODES:]

    def windows(self) -> NDArray[np.int64]:
        """Halls reached in each of the last completed windows of 10 episodes, at most 5.

        A window is a fixed group of consecutive episodes (1 to 10, 11 to 20, ...), so every
        episode of a run counts in exactly one.
        """
        complete = min(self.count // WINDOW_EPISODES, RECENT_WINDOWS)
        end = len(self.reached) - self.count % WINDOW_EPISODES
        rows = self.reached[end - complete * WINDOW_EPISODES : end]
        windows = rows.reshape(complete, WINDOW_EPISODES, self.reached.shape[1])
        return windows.any(axis=1).sum(axis=1)

    def state_dict(self) -> dict[str, Any]:
        """All rows and the count."""
        return {
            "count": self.count,
            "reached": self.reached.copy(),
            "hall_steps": self.hall_steps.copy(),
            "lengths": self.lengths.copy(),
            "radii": self.radii.copy(),
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Take up a state of :meth:`state_dict`."""
        halls = self.reached.shape[1]
        self.count = int(state["count"])
        self.reached = np.array(state["reached"], dtype=bool).reshape(-1, halls)
        self.hall_steps = np.array(state["hall_steps"], dtype=np.int64).reshape(-1, halls)
        self.lengths = np.array(state["lengths"], dtype=np.int64)
        self.radii = np.array(state["radii"], dtype=np.float64)


class OpenEpisodes:
    """The episodes that n copies of the environment are in the middle of.

    Args:
        halls: Number of halls m.
    """

    def __init__(self, halls: int) -> None:
        self._halls = halls
        self._start(copies=0)

    def fit(self, copies: int) -> None:
        """Make room for the copies on first use.

        Raises:
            ValueError: If episodes of another number of copies are open.
        """
        if copies != len(self._lengths):
            if self._lengths.any():
                raise ValueError(
                    f"episodes of {len(self._lengths)} environment copies are open, "
                    f"got states of {copies}"
                )
            self._start(copies)

    def add(
        self,
        copy: int,
        reached: NDArray[np.bool_],
        inside: NDArray[np.bool_],
        radii: NDArray[np.float64],
    ) -> None:
        """Add successive steps of one copy's episode.

        Args:
            copy: Index of the copy.
            reached: Whether each step ended at each hall's end, shape (T, halls).
            inside: Whether each step ended in each hall, shape (T, halls).
            radii: Distances from the origin, shape (T,).
        """
        self._reached[copy] |= reached.any(axis=0)
        self._hall_steps[copy] += inside.sum(axis=0)
        self._lengths[copy] += len(radii)
        self._radii[copy] = max(self._radii[copy], radii.max(initial=0.0))

    def close(self, copy: int) -> tuple[NDArray[np.bool_], NDArray[np.int64], int, float]:
        """Return one copy's episode (as :meth:`EpisodeLog.append` takes it) and begin the next."""
        episode = (
            self._reached[copy].copy(),
            self._hall_steps[copy].copy(),
            int(self._lengths[copy]),
            float(self._radii[copy]),
        )
        self._reached[copy], self._hall_steps[copy] = False, 0
        self._lengths[copy], self._radii[copy] = 0, 0.0
        return episode

    def state_dict(self) -> dict[str, Any]:
        """What the open episodes have seen so far."""
        return {
            "reached": self._reached.copy(),
            "hall_steps": self._hall_steps.copy(),
            "lengths": self._lengths.copy(),
            "radii": self._radii.copy(),
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Take up a state of :meth:`state_dict`."""
        self._start(len(state["lengths"]))
        self._reached[:] = state["reached"]
        self._hall_steps[:] = state["hall_steps"]
        self._lengths[:] = state["lengths"]
        self._radii[:] = state["radii"]

    def _start(self, copies: int) -> None:
        self._reached = np.zeros((copies, self._halls), dtype=bool)
        self._hall_steps = np.zeros((copies, self._halls), dtype=np.int64)
        self._lengths = np.zeros(copies, dtype=np.int64)
        self._radii = np.zeros(copies)
