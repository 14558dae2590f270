"""Which episodes of several environment copies an evaluation counts, and what they came to."""

from typing import TypedDict

import numpy as np

Episode = tuple[int, float, tuple[float, ...]]  # length, return, sum of each reward term


class EpisodeScores(TypedDict):
    """Of E finished episodes: ``returns``, ``lengths`` ``[E]``, ``terms`` name -> sums ``[E]``.

    ``states`` ``[sum of lengths, obs]`` are those that their steps reached, episode after episode.
    """

    returns: np.ndarray
    lengths: np.ndarray
    terms: dict[str, np.ndarray]
    states: np.ndarray


class CountedEpisodes:
    """Counts exactly E episodes of n copies that run side by side.

    How many of its first episodes each copy counts is fixed beforehand, so that short episodes are
    not favoured; what a copy does while it waits for the others is not counted. Episodes are in
    the order of the copies.

    Args:
        episodes: E.
        copies: n.
    """

    def __init__(self, episodes: int, copies: int) -> None:
        quotas = np.full(copies, episodes // copies)
        quotas[: episodes % copies] += 1
        self.current = np.cumsum(quotas) - quotas  # the episode that each copy is in
        self._ends = self.current + quotas
        self._episodes: list[Episode | None] = [None] * episodes
        self._states: list[np.ndarray] = []
        self._counted: list[np.ndarray] = []

    @property
    def is_counted(self) -> np.ndarray:
        """Whether the episode that each copy is in counts, ``[n]``; at the end none does."""
        return self.current < self._ends

    def add(self, states: np.ndarray, ends: np.ndarray, finished: list[Episode]) -> None:
        """Take in a step of every copy.

        Args:
            states: Reached, ``[n, obs]``.
            ends: Whether it ended the copy's episode, ``[n]``.
            finished: The episodes that ended, in the order of the copies.
        """
        is_counted = self.is_counted
        self._states.append(states)
        self._counted.append(is_counted)
        for copy, episode in zip(np.flatnonzero(ends), finished, strict=True):
            if is_counted[copy]:
                self._episodes[self.current[copy]] = episode
        self.current += ends

    def scores(self, terms: tuple[str, ...]) -> EpisodeScores:
        """Everything counted; ``terms`` are the names of the sums."""
        lengths, returns, sums = zip(*self._episodes, strict=True)
        return EpisodeScores(
            returns=np.array(returns),
            lengths=np.array(lengths),
            terms=dict(zip(terms, np.array(sums).T, strict=True)),
            states=np.stack(self._states, axis=1)[np.stack(self._counted, axis=1)],
        )
