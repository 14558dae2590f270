"""Hidden goals, scored offline: which would the recent episodes have found, and how soon?

An agent that explores for an unknown goal does not see it, so one sequence of episodes can be
scored for thousands of goals at once. Where episodes do not depend on one another, which comes
first is chance, and the scores are exact expectations over all orders of the episodes. Where they
do, as when p(z) adapts, the episodes are scored in the order in which they came.
"""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
Flags = NDArray[np.bool_]

# Goals are uniform over the part of the table that the released code tests on; metres.
GOAL_LOW = (1.1, 0.44)
GOAL_HIGH = (1.5, 1.02)
GOAL_HEIGHT = 0.42
GOAL_RADIUS = 0.1  # of the block's centre, in three dimensions
GOALS = 2_000
RECENT_EPISODES = 100

_CHUNK = 512  # states compared with all goals at once


@cache
def goal_positions() -> Array:
    """The fixed goals, shape (2000, 3), metres. Not to be written to."""
    positions = np.full((GOALS, 3), GOAL_HEIGHT)
    positions[:, :2] = np.random.default_rng(0).uniform(GOAL_LOW, GOAL_HIGH, (GOALS, 2))
    positions.setflags(write=False)
    return positions


def goals_reached(block: Array, starts: Flags) -> Flags:
    """Which goals the block comes to in each of several stretches of time.

    Args:
        block: Successive positions, metres, shape (N, 3).
        starts: Whether a stretch begins at each of them, shape (N,); the first does.

    Returns:
        Shape (stretches, 2000).
    """
    # A block at rest is looked at once.
    is_new = starts.copy()
    is_new[1:] |= (block[1:] != block[:-1]).any(axis=1)
    stretch = np.cumsum(starts)[is_new] - 1
    block = block[is_new]
    reached = np.zeros((int(starts.sum()), GOALS), dtype=bool)
    for begin in range(0, len(block), _CHUNK):
        inside = _is_inside(block[begin : begin + _CHUNK])
        owners, first = np.unique(stretch[begin : begin + _CHUNK], return_index=True)
        reached[owners] |= np.logical_or.reduceat(inside, first, axis=0)
    return reached


def found_within(hits: NDArray[np.int64], episodes: int, longest: int) -> Array:
    """Expected share of goals found within the first episodes, over all orders of the episodes.

    A goal that k of E episodes hit is missed by the first N of a random order with probability
    ``C(E - k, N) / C(E, N)``.

    Args:
        hits: Episodes that hit each goal (k), shape (goals,).
        episodes: E; with fewer than N episodes, all of them stand for N.
        longest: Largest N.

    Returns:
        For N = 0 to ``longest``, shape (longest + 1,).
    """
    goals_with = np.bincount(hits, minlength=episodes + 1)  # by number of hits
    found = goals_with @ (1.0 - _missed(episodes, longest)) / max(len(hits), 1)
    return np.concatenate([[0.0], found])


def episodes_to_find(hits: NDArray[np.int64], episodes: int) -> Array:
    """Expected episodes until a goal is found, over all orders; one not found in 100 counts as 100.

    Args:
        hits: Episodes that hit each goal (k), shape (goals,).
        episodes: E.

    Returns:
        Mean of min(place of the first hit from 1, 100), which is the sum over N from 0 to 99 of
        the probability that N episodes missed. Shape (goals,).
    """
    return 1.0 + _missed(episodes, RECENT_EPISODES - 1).sum(axis=1)[hits]


def found_in_order(reached: Flags, longest: int) -> Array:
    """Share of goals found within the first episodes of a sequence, as :func:`found_within`.

    Args:
        reached: Goals reached by each episode, in their order, shape (episodes, goals).
        longest: Largest N.
    """
    places = first_hits(reached)
    return np.array([(places <= n).mean() for n in range(longest + 1)])


def episodes_to_find_in_order(reached: Flags) -> Array:
    """Episodes of a sequence until each goal is found, as :func:`episodes_to_find`."""
    return np.minimum(first_hits(reached), float(RECENT_EPISODES))


def first_hits(reached: Flags) -> Array:
    """Place of the first episode that reached each goal, from 1; infinite if none did.

    Args:
        reached: Goals reached by each episode, in their order, shape (episodes, goals).
    """
    if not len(reached):
        return np.full(reached.shape[1], np.inf)
    return np.where(reached.any(axis=0), reached.argmax(axis=0) + 1.0, np.inf)


class EpisodeLog:
    """The last 100 episodes of one stream: the goals each reached, and whether it fell off.

    Of a sequence, whose beginning is scored, the first 100.
    """

    def __init__(self) -> None:
        # A row an episode, oldest first. Never written into: appending makes new arrays.
        self._reached = np.zeros((0, -(-GOALS // 8)), dtype=np.uint8)  # 8 goals a byte
        self._fell = np.zeros(0, dtype=bool)
        self._kept = slice(-RECENT_EPISODES, None)

    def start_sequence(self) -> None:
        """Keep the first 100 episodes instead of the last."""
        self._kept = slice(RECENT_EPISODES)

    def __len__(self) -> int:
        return len(self._fell)

    def append(self, reached: Flags, fell: bool) -> None:
        """Add a completed episode.

        Args:
            reached: Goals reached, shape (2000,).
            fell: Whether it ended with the block off the table.
        """
        row = np.packbits(reached)[None]
        self._reached = np.concatenate([self._reached, row])[self._kept]
        self._fell = np.append(self._fell, fell)[self._kept]

    @property
    def reached(self) -> Flags:
        """Which goals each of the episodes reached, oldest first, shape (episodes, 2000)."""
        return np.unpackbits(self._reached, axis=1, count=GOALS).astype(bool)

    @property
    def hits(self) -> NDArray[np.int64]:
        """Number of the episodes that reached each goal, shape (2000,)."""
        return self.reached.sum(axis=0, dtype=np.int64)

    @property
    def falls(self) -> int:
        """Number of the episodes that ended with the block off the table."""
        return int(self._fell.sum())

    def state_dict(self) -> dict[str, Any]:
        """All rows."""
        return {"reached": self._reached.copy(), "fell": self._fell.copy()}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Take up a state of :meth:`state_dict`."""
        self._reached = np.array(state["reached"], dtype=np.uint8).reshape(-1, -(-GOALS // 8))
        self._fell = np.array(state["fell"], dtype=bool)


def _missed(episodes: int, longest: int) -> Array:
    """Probability that the first N of E episodes in a random order miss what k of them hit.

    Returns:
        For k = 0 to E and N = 1 to ``longest``, shape (E + 1, longest).
    """
    before = np.minimum(np.arange(longest), episodes)
    left = np.maximum(episodes - before, 1)  # episodes that may come next
    misses = np.maximum(episodes - np.arange(episodes + 1)[:, None] - before, 0)
    missed: Array = np.where(before < episodes, misses / left, 1.0)
    return missed.cumprod(axis=1)


def _is_inside(block: Array) -> Flags:
    """Whether blocks (N, 3) are closer than the radius to goals; shape (N, 2000)."""
    # |b - g|^2 < r^2 as one matrix product. Positions are taken from the middle of the goals, so
    # that no digits are lost.
    goals = goal_positions()
    middle = goals.mean(axis=0)
    b, g = block - middle, goals - middle
    excess = ((b * b).sum(axis=1) - GOAL_RADIUS**2) / 2.0
    left = np.column_stack([b, np.ones(len(b)), -excess])
    right = np.column_stack([g, -(g * g).sum(axis=1) / 2.0, np.ones(len(g))])
    return left @ right.T > 0.0
