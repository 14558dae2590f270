"""Mean and variance of a stream of batches."""

import torch
from torch import Tensor, nn


class RunningMoments(nn.Module):
    """Exact mean and variance of everything shown so far, per coordinate.

    Args:
        dim: Coordinates.
    """

    mean: Tensor
    squares: Tensor
    count: Tensor

    def __init__(self, dim: int) -> None:
        super().__init__()
        self.register_buffer("mean", torch.zeros(dim))
        self.register_buffer("squares", torch.zeros(dim))
        self.register_buffer("count", torch.zeros(()))

    @torch.no_grad()
    def update(self, x: Tensor) -> None:
        """Take in ``x`` ``[B, dim]``. Source: Chan et al. 1979, combination of two samples."""
        count = self.count + len(x)
        delta = x.mean(0) - self.mean
        self.squares += (x - x.mean(0)).square().sum(0)
        self.squares += delta.square() * self.count * len(x) / count
        self.mean += delta * len(x) / count
        self.count.copy_(count)

    def std(self) -> Tensor:
        """Standard deviation ``[dim]``; 1 before there is any spread."""
        variance = self.squares / self.count.clamp(min=1)
        return torch.where(variance > 1e-12, variance, 1.0).sqrt()

    def normalise(self, x: Tensor) -> Tensor:
        """(x - mean) / standard deviation."""
        return (x - self.mean) / self.std()
