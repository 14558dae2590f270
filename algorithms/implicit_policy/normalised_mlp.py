"""A perceptron with layer normalisation that may have other weights for every row."""

from collections.abc import Sequence
from itertools import pairwise

import torch
from torch import Tensor, nn

OUTPUT_SCALE = 3e-3  # the last layer starts uniform in ± this (Lillicrap et al. 2016, app. 7)


class NormalisedMLP(nn.Module):
    """Hidden layers of linear, layer normalisation, ReLU; a linear last layer that starts near 0.

    Args:
        sizes: Layer widths, input first, output last.
    """

    def __init__(self, sizes: Sequence[int]) -> None:
        super().__init__()
        layers = [nn.Linear(*fans) for fans in pairwise(sizes)]
        nn.init.uniform_(layers[-1].weight, -OUTPUT_SCALE, OUTPUT_SCALE)
        nn.init.zeros_(layers[-1].bias)
        self.linears = nn.ModuleList(layers)
        self.norms = nn.ModuleList(nn.LayerNorm(width) for width in sizes[1:-1])

    @property
    def perturbable(self) -> list[nn.Parameter]:
        """Weights ``[out, in]`` and biases ``[out]`` in turn; normalisation is never perturbed."""
        return list(self.linears.parameters())

    def forward(self, x: Tensor) -> Tensor:
        """``[B, in] -> [B, out]``."""
        for linear, norm in zip(self.linears, self.norms, strict=False):
            x = norm(linear(x)).relu()
        return self.linears[-1](x)

    def perturbed(self, x: Tensor, offsets: Sequence[Tensor]) -> Tensor:
        """Evaluate row b with ``offsets[k][b]`` added to parameter k of ``perturbable``."""
        pairs = list(zip(offsets[::2], offsets[1::2], strict=True))
        for k, (linear, (weight, bias)) in enumerate(zip(self.linears, pairs, strict=True)):
            x = linear(x) + torch.einsum("boi,bi->bo", weight, x) + bias
            if k < len(self.norms):
                x = self.norms[k](x).relu()
        return x
