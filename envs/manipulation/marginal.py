"""The target's distribution over the block's place along y, and the distance to it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from expedition.envs.manipulation.table import CENTRE, SIDE_MARGIN, TABLE_HIGH, TABLE_LOW

Array = NDArray[np.float64]


@dataclass(frozen=True)
class SideTarget:
    """A target that is uniform on each half of the table.

    Args:
        left_log_weight: Log of the density on the left half over that on the right; 0 is uniform.
        bin_width: Metres; each half is divided into a whole number of bins of about this width.

    Raises:
        ValueError: If the bins are not narrower than half the table, or wider than 0.
    """

    left_log_weight: float = 0.0
    bin_width: float = 0.01

    def __post_init__(self) -> None:
        half = TABLE_HIGH[1] - CENTRE[1]
        if not 0.0 < self.bin_width <= half:
            raise ValueError(f"y_bin must be above 0 and at most {half:.2f}, got {self.bin_width}")

    @property
    def bins(self) -> int:
        """Number of bins over the whole table, even."""
        return 2 * round((TABLE_HIGH[1] - CENTRE[1]) / self.bin_width)

    def probabilities(self) -> Array:
        """Target mass of each bin, from right (small y) to left, shape (bins,)."""
        half = self.bins // 2
        # Normalised before it is spread: exp of a large weight would overflow.
        left = 1.0 / (1.0 + np.exp(-self.left_log_weight))
        return np.repeat([1.0 - left, left], half) / half

    def discrepancy(self, y: Array) -> tuple[float, float]:
        """Compare the block's places with the target.

        Args:
            y: Places on the table, metres, shape (N,).

        Returns:
            KL(p*, rho) in nats, and total variation from 0 to 1. One is added to every bin's
            count, so that both are finite.
        """
        width = (TABLE_HIGH[1] - TABLE_LOW[1]) / self.bins
        # The margin keeps a block on the centre line, an edge, in one bin.
        index = np.floor((y - TABLE_LOW[1] + SIDE_MARGIN) / width).astype(np.int64)
        counts = np.bincount(index.clip(0, self.bins - 1), minlength=self.bins) + 1
        share = counts / counts.sum()
        target = self.probabilities()
        used = target > 0.0
        kl = (target[used] * np.log(target[used] / share[used])).sum()
        return float(kl), float(0.5 * np.abs(target - share).sum())
