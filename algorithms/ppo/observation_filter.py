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
    variance: Tensor
    count: Tensor

    def __init__(self, dim: int, clip: float | None) -> None:
        super().__init__()
        self.clip = clip
        # Not float64: RLlib restores numbers as float32, and a resumed run is to be the same run.
        self.register_buffer("mean", torch.zeros(dim))
        self.register_buffer("variance", torch.ones(dim))
        self.register_buffer("count", torch.zeros((), dtype=torch.int64))

    def forward(self, obs: Tensor) -> Tensor:
        """Filter ``obs`` ``[B, dim]``."""
        if self.clip is None:
            return obs
        # A coordinate that has never moved stays as it is.
        inverse = torch.where(self.variance > 1e-8, self.variance, 1.0).rsqrt()
        return ((obs - self.mean) * inverse).clamp(-self.clip, self.clip)

    @torch.no_grad()
    def update(self, obs: Tensor) -> None:
        """Take in ``obs`` ``[B, dim]``. Source: Chan et al. 1979, combination of two samples."""
        if self.clip is None:
            return
        batch, mean, variance = obs.double(), self.mean.double(), self.variance.double()
        total = self.count + len(batch)
        share = len(batch) / total
        delta = batch.mean(0) - mean
        spread = batch.var(0, correction=0) - variance + delta.square() * (1 - share)
        self.mean.copy_(mean + delta * share)
        self.variance.copy_(variance + spread * share)
        self.count.copy_(total)
