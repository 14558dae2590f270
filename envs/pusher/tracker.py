"""What episodes of the block pusher explored: where the hand went, which blocks it moved."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from expedition.envs.goal_tracker import RECENT_EPISODES, determinant
from expedition.envs.histogram import StateHistogram
from expedition.envs.pusher.tasks import BLOCKS, HAND_JOINTS

MOVED = 0.1  # m, from where it started, for a block to count as moved
BIN_WIDTH = 0.05  # m, of the heat map
LOW, HIGH = (-0.8, -1.0), (1.8, 1.0)  # m, its corners
_BLOCKS = slice(HAND_JOINTS, HAND_JOINTS + 2 * BLOCKS)


class BlockTracker:
    """Counts the hand's positions, blocks moved, and how episodes' ends scatter.

    Metrics:

    - ``blocks_moved``: blocks that ended further than 0.1 m from their start, mean over the last
      100 episodes of each runner.
    - ``final_determinant``: determinant of the covariance of the hand's position at the end of
      those episodes; 0 before there are three.
    """

    def __init__(self) -> None:
        self._visits = StateHistogram([BIN_WIDTH] * 2)
        # Blocks after the first step of each copy's episode, (copies, 5, 2): before it the hand
        # cannot have touched one. NaN: no episode is open.
        self._starts = np.zeros((0, BLOCKS, 2))
        self._moved = np.zeros(0)  # of recent episodes, oldest first
        self._finals = np.zeros((0, 2))

    def update(self, states: NDArray[np.floating], ends: NDArray[np.bool_]) -> None:
        """Take in T successive steps of n environment copies.

        Args:
            states: Observations, shape (T, n, 26).
            ends: Whether each step ended an episode, shape (T, n).

        Raises:
            ValueError: If episodes of another number of copies are open.
        """
        states = np.asarray(states, dtype=np.float64)
        copies = states.shape[1]
        if len(self._starts) != copies:
            if np.isfinite(self._starts).any():
                raise ValueError(f"episodes of {len(self._starts)} copies are open, got {copies}")
            self._starts = np.full((copies, BLOCKS, 2), np.nan)
        self._visits.add(states[..., :2].reshape(-1, 2))
        for reached, ended in zip(states, np.asarray(ends), strict=True):
            blocks = reached[:, _BLOCKS].reshape(copies, BLOCKS, 2)
            self._starts = np.where(np.isnan(self._starts), blocks, self._starts)
            if ended.any():
                self._close(reached[ended, :2], blocks, ended)

    def merge(self, other: BlockTracker) -> None:
        """Add what another tracker saw."""
        self._visits.merge(other._visits)
        self._moved = np.concatenate([self._moved, other._moved])
        self._finals = np.concatenate([self._finals, other._finals])

    def metrics(self) -> dict[str, float]:
        """Evaluate the metrics of the class docstring."""
        episodes = max(len(self._moved), 1)
        return {
            "blocks_moved": float(self._moved.sum() / episodes),
            "final_determinant": determinant(self._finals),
        }

    def arrays(self) -> dict[str, NDArray[Any]]:
        """``visits`` (52, 40) of the hand in all steps, ``x_edges`` and ``y_edges``."""
        x_edges, y_edges = self._visits.edges(LOW, HIGH)
        return {"visits": self._visits.dense(LOW, HIGH), "x_edges": x_edges, "y_edges": y_edges}

    def state_dict(self) -> dict[str, Any]:
        """Everything seen, open episodes included."""
        return {
            "visits": self._visits.state_dict(),
            "starts": self._starts.copy(),
            "moved": self._moved.copy(),
            "finals": self._finals.copy(),
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Take up a state of :meth:`state_dict`."""
        self._visits.load_state_dict(state["visits"])
        self._starts = np.array(state["starts"], dtype=np.float64).reshape(-1, BLOCKS, 2)
        self._moved = np.array(state["moved"], dtype=np.float64)
        self._finals = np.array(state["finals"], dtype=np.float64).reshape(-1, 2)

    def _close(
        self,
        hands: NDArray[np.float64],
        blocks: NDArray[np.float64],
        ended: NDArray[np.bool_],
    ) -> None:
        """Move ended episodes, with their hands' final positions, to the recent ones."""
        way = blocks[ended] - self._starts[ended]
        moved = (np.hypot(way[..., 0], way[..., 1]) > MOVED).sum(axis=-1)
        self._moved = np.concatenate([self._moved, moved])[-RECENT_EPISODES:]
        self._finals = np.concatenate([self._finals, hands])[-RECENT_EPISODES:]
        self._starts[ended] = np.nan
