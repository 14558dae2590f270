"""Standardises observations by what has been seen so far."""

import torch
from torch import Tensor, nn


class ObservationFilter(nn.Module):
    """(o - mean) / standard deviation of all earlier batches, clipped.

    The moments change between updates alone, so that the policy that learns is the policy that
    acted. Before the first batch the filter only clips.

    Args:
        dim: Size of an observation.
        clip: Largest standardised value; none leaves observations as they are altogether.
    """

    mean: Tensor
    squares: Tensor
    count: Tensor

    def __init__(self, dim: int, clip: float | None) -> None:
        super().__init__()
        self.clip = clip
        self.register_buffer("mean", torch.zeros(dim, dtype=torch.float64))
        self.register_buffer("squares", torch.zeros(dim, dtype=torch.float64))
        self.register_buffer("count", torch.zeros((), dtype=torch.float64))

    def forward(self, obs: Tensor) -> Tensor:
        """Filter ``obs`` ``[B, dim]``."""
        if self.clip is None:
            return obs
        variance = self.squares / self.count.clamp(min=1)
        # A coordinate that has never moved stays as it is.
        inverse = torch.where(variance > 1e-8, variance, 1.0).rsqrt()
        centred = (obs - self.mean) * inverse
        return centred.clamp(-self.clip, self.clip).to(obs.dtype)

    @torch.no_grad()
    def update(self, obs: Tensor) -> None:
        """Take in ``obs`` ``[B, dim]``. Source: Chan et al. 1979, combination of two samples."""
        if self.clip is None:
            return
        batch = obs.double()
        total = self.count + len(batch)
        delta = batch.mean(0) - self.mean
        self.squares += (batch - batch.mean(0)).square().sum(0)
        self.squares += delta.square() * self.count * len(batch) / total
        self.mean += delta * len(batch) / total
        self.count.copy_(total)
