"""Batched multi-layer perceptrons: an ensemble is one tensor program, never a loop over members."""

import math
from collections.abc import Sequence
from itertools import pairwise
from typing import Literal

import torch
from torch import Tensor, nn

Activation = Literal["relu", "tanh"]


class EnsembleMLP(nn.Module):
    """``members`` independent perceptrons with the same layer sizes, evaluated together.

    Weights are stored ``[members, in, out]`` and biases ``[members, 1, out]``; a layer is one
    ``baddbmm``. Weights and biases start uniform in ±1/sqrt(in), as ``torch.nn.Linear`` does.

    Args:
        members: Number of networks.
        sizes: Layer widths, input first, output last.
        activation: Non-linearity of the hidden layers.
        output_scale: If given, the last layer starts uniform in ±output_scale.
    """

    def __init__(
        self,
        members: int,
        sizes: Sequence[int],
        activation: Activation = "relu",
        output_scale: float | None = None,
    ) -> None:
        super().__init__()
        self.members = members
        self.activation = activation
        # Beside the registered parameters, a plain list: looking parameters up by name on every
        # pass costs as much as a small layer does.
        self._pairs: list[tuple[nn.Parameter, nn.Parameter]] = []
        last = len(sizes) - 2
        for layer, (fan_in, fan_out) in enumerate(pairwise(sizes)):
            bound = 1.0 / math.sqrt(fan_in)
            if layer == last and output_scale is not None:
                bound = output_scale
            weight, bias = (
                nn.Parameter(torch.empty(members, rows, fan_out).uniform_(-bound, bound))
                for rows in (fan_in, 1)
            )
            self.register_parameter(f"weight_{layer}", weight)
            self.register_parameter(f"bias_{layer}", bias)
            self._pairs.append((weight, bias))

    def forward(self, x: Tensor, frozen: bool = False) -> Tensor:
        """Evaluate all members.

        Args:
            x: ``[B, in]``, given to every member, or ``[members, B, in]``, one batch a member.
            frozen: Treat the parameters as constants: gradients reach ``x`` alone.

        Returns:
            ``[members, B, out]``.
        """
        layers = self._layers(frozen)
        if self.members == 1:
            x = x if x.dim() == 2 else x.squeeze(0)
            for weight, bias in layers[:-1]:
                x = self._activate(torch.addmm(bias.squeeze(0), x, weight.squeeze(0)))
            weight, bias = layers[-1]
            return torch.addmm(bias.squeeze(0), x, weight.squeeze(0)).unsqueeze(0)
        if x.dim() == 2:
            x = x.expand(self.members, *x.shape)
        for weight, bias in layers[:-1]:
            x = self._activate(torch.baddbmm(bias, x, weight))
        weight, bias = layers[-1]
        if weight.shape[2] == 1:
            # A batched product with one column runs at a quarter of this sum's speed.
            return torch.linalg.vecdot(x, weight.transpose(1, 2)).unsqueeze(-1) + bias
        return torch.baddbmm(bias, x, weight)

    def _layers(self, frozen: bool) -> Sequence[tuple[Tensor, Tensor]]:
        if frozen:
            return [(weight.detach(), bias.detach()) for weight, bias in self._pairs]
        return self._pairs

    def _activate(self, x: Tensor) -> Tensor:
        return x.relu_() if self.activation == "relu" else x.tanh_()


class MLP(EnsembleMLP):
    """A single perceptron: ``[B, in] -> [B, out]``."""

    def __init__(
        self,
        sizes: Sequence[int],
        activation: Activation = "relu",
        output_scale: float | None = None,
    ) -> None:
        super().__init__(1, sizes, activation, output_scale)

    def forward(self, x: Tensor, frozen: bool = False) -> Tensor:
        """Evaluate on ``x`` ``[B, in]``; see ``EnsembleMLP.forward``."""
        return super().forward(x, frozen).squeeze(0)
