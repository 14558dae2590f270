"""Histograms of visited states, their entropy, and windows of recent states; all mergeable."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

_COUNT_AT = 16_384  # states added before they are sorted into the counts


def entropy(counts: NDArray[np.integer]) -> float:
    """Plug-in estimate of the entropy of the distribution that counts were drawn from.

    Args:
        counts: Non-negative counts, any shape.

    Returns:
        ``-sum p log p`` in nats with ``p = counts / total``; 0 if there are none. It is too small
        by about (occupied bins - 1) / (2 total): compare only equal sample sizes.
    """
    occupied = counts[counts > 0]
    if occupied.size == 0:
        return 0.0
    total = occupied.sum()
    # log total - sum c log c / total: exact at one bin, where the sum over p gives -0.0.
    return float(np.log(total) - (occupied * np.log(occupied)).sum() / total)


def corrected_entropy(counts: NDArray[np.integer]) -> float:
    """Entropy with the leading bias of the plug-in estimate added back.

    Args:
        counts: Non-negative counts, any shape.

    Returns:
        Nats; 0 if there are no counts. Source: Miller 1955, Madow's correction.
    """
    occupied = int(np.count_nonzero(counts))
    if occupied == 0:
        return 0.0
    return entropy(counts) + (occupied - 1) / (2.0 * float(counts.sum()))


class StateHistogram:
    """Counts of visited states in a grid of bins, stored sparsely.

    Bin j of an axis holds ``j * width <= x < (j + 1) * width``, so that histograms of one width
    always line up and merge, whatever range each has seen.

    Args:
        bin_widths: Width of the bins along each of the d axes, in the state's units.

    Raises:
        ValueError: If a width is not positive.
    """

    def __init__(self, bin_widths: Sequence[float] | NDArray[np.float64]) -> None:
        self.bin_widths = np.asarray(bin_widths, dtype=np.float64)
        if self.bin_widths.ndim != 1 or not (self.bin_widths > 0.0).all():
            raise ValueError(f"bin_widths must be positive numbers, got {bin_widths!r}")
        self._bins = np.zeros((0, self.bin_widths.size), dtype=np.int64)
        self._counts = np.zeros(0, dtype=np.int64)
        self._uncounted: list[NDArray[np.int64]] = []  # bins of states added since; sorting is slow
        self._uncounted_states = 0

    @property
    def bins(self) -> NDArray[np.int64]:
        """Indices of the occupied bins in lexical order, shape (bins, d)."""
        self._count()
        return self._bins

    @property
    def counts(self) -> NDArray[np.int64]:
        """Number of states in each of :attr:`bins`, shape (bins,)."""
        self._count()
        return self._counts

    @property
    def total(self) -> int:
        """Number of states counted."""
        return int(self.counts.sum())

    def add(self, states: NDArray[np.floating]) -> None:
        """Count states.

        Args:
            states: Shape (N, d).
        """
        self._uncounted.append(np.floor(np.asarray(states) / self.bin_widths).astype(np.int64))
        self._uncounted_states += len(states)
        if self._uncounted_states >= _COUNT_AT:
            self._count()

    def merge(self, other: StateHistogram) -> None:
        """Add the counts of another histogram.

        Raises:
            ValueError: If its bins are of another width.
        """
        if not np.array_equal(self.bin_widths, other.bin_widths):
            raise ValueError(
                f"cannot merge bins of widths {other.bin_widths.tolist()} into bins of widths "
                f"{self.bin_widths.tolist()}"
            )
        self._count()
        self._add(other.bins, other.counts)

    def coarsened(self, factor: int) -> StateHistogram:
        """Return the histogram with bins ``factor`` times as wide."""
        coarse = StateHistogram(self.bin_widths * factor)
        coarse._add(self.bins // factor, self.counts)
        return coarse

    def dense(self, low: Sequence[float], high: Sequence[float]) -> NDArray[np.int64]:
        """Lay the counts out on a full grid.

        Args:
            low: Lower end of the grid along each axis, rounded down to a bin's edge.
            high: Upper end, rounded up. States outside are left out.

        Returns:
            Counts, one dimension an axis.
        """
        first, last = self._grid(low, high)
        grid = np.zeros(last - first, dtype=np.int64)
        inside = ((self.bins >= first) & (self.bins < last)).all(axis=1)
        grid[tuple((self.bins[inside] - first).T)] = self.counts[inside]
        return grid

    def edges(self, low: Sequence[float], high: Sequence[float]) -> list[NDArray[np.float64]]:
        """Bin edges of :meth:`dense` along each axis, one more than bins."""
        first, last = self._grid(low, high)
        spans = zip(first, last, self.bin_widths, strict=True)
        return [np.arange(start, stop + 1) * width for start, stop, width in spans]

    def state_dict(self) -> dict[str, Any]:
        """Bins and counts."""
        return {"bins": self.bins.copy(), "counts": self.counts.copy()}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Take up a state of :meth:`state_dict`."""
        self._bins = np.array(state["bins"], dtype=np.int64).reshape(-1, self.bin_widths.size)
        self._counts = np.array(state["counts"], dtype=np.int64)
        self._uncounted, self._uncounted_states = [], 0

    def _grid(
        self, low: Sequence[float], high: Sequence[float]
    ) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        first = np.floor(np.asarray(low) / self.bin_widths).astype(np.int64)
        last = np.ceil(np.asarray(high) / self.bin_widths).astype(np.int64)
        return first, last

    def _count(self) -> None:
        if self._uncounted:
            bins = np.concatenate(self._uncounted)
            self._uncounted, self._uncounted_states = [], 0
            self._add(bins, np.ones(len(bins), dtype=np.int64))

    def _add(self, bins: NDArray[np.int64], counts: NDArray[np.int64]) -> None:
        bins = np.concatenate([self._bins, bins])
        counts = np.concatenate([self._counts, counts])
        self._bins, place = np.unique(bins, axis=0, return_inverse=True)
        self._counts = np.zeros(len(self._bins), dtype=np.int64)
        np.add.at(self._counts, place.ravel(), counts)


class RecentStates:
    """The most recent states of one or, after merging, of several streams of experience.

    An entropy estimate grows with its sample, so points of a learning curve are comparable only at
    one sample size: this keeps the newest ``size`` states, shared equally between the streams.

    Args:
        size: Number of states to keep.
        dimensions: Number of coordinates d of a state.
    """

    def __init__(self, size: int, dimensions: int) -> None:
        self.size = size
        # The first stream is this object's own, the others were merged in. Oldest state first.
        self._streams = [np.zeros((0, dimensions))]

    def add(self, states: NDArray[np.floating]) -> None:
        """Append states of this object's own stream.

        Args:
            states: In the order of time, shape (N, d).
        """
        self._streams[0] = np.concatenate([self._streams[0], states])[-self.size :]

    def merge(self, other: RecentStates) -> None:
        """Add the streams of another window."""
        self._streams.extend(other._streams)

    def states(self) -> NDArray[np.float64]:
        """At most ``size`` states, the newest of each stream; shape (N, d).

        Streams share alike; what a short one leaves of its share goes to the longer ones.
        """
        lengths = sorted(len(stream) for stream in self._streams)
        left = share = self.size
        for index, length in enumerate(lengths):
            share = left // (len(lengths) - index)
            if length > share:
                break
            left -= length
        return np.concatenate([stream[max(0, len(stream) - share) :] for stream in self._streams])

    def state_dict(self) -> dict[str, Any]:
        """The streams."""
        return {"streams": [stream.copy() for stream in self._streams]}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Take up a state of :meth:`state_dict`."""
        dimensions = self._streams[0].shape[1]
        self._streams = [np.array(stream).reshape(-1, dimensions) for stream in state["streams"]]
