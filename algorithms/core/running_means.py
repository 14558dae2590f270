"""Means of learner statistics, kept on the device and read once an iteration."""

import torch
from torch import Tensor


class RunningMeans:
    """Accumulates named scalars over gradient steps without synchronising the device."""

    def __init__(self) -> None:
        self._names: tuple[str, ...] = ()
        self._sums: Tensor | None = None
        self._count = 0

    def add(self, scalars: dict[str, Tensor]) -> None:
        """Add one gradient step's scalars; the names must not change between calls."""
        values = torch.stack([value.detach().reshape(()) for value in scalars.values()])
        if self._sums is None:
            self._names = tuple(scalars)
            self._sums = values
        else:
            self._sums += values
        self._count += 1

    def is_finite(self) -> bool:
        """Whether every scalar since the last ``pop`` was a number."""
        return self._sums is None or bool(torch.isfinite(self._sums).all())

    def pop(self) -> dict[str, float]:
        """Return the means since the last call and start afresh; empty if there were no steps."""
        if self._sums is None:
            return {}
        means = (self._sums / self._count).tolist()
        result = dict(zip(self._names, means, strict=True))
        self._sums, self._count = None, 0
        return result
