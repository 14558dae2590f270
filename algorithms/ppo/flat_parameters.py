"""Many small parameters as one."""

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn


class FlatParameters:
    """Lays parameters side by side in one tensor, and their gradients in another.

    A flow has some sixty parameters of a few numbers each: an optimiser that takes them one by one
    needs a third of the time of a gradient step. The parameters become views, and so do their
    gradients: do not set those to ``None``.

    Args:
        parameters: Of one type and device. What shares their memory has to be told anew.

    Attributes:
        values: All numbers, ``[P]``: what an optimiser steps. Its ``grad`` is all gradients.
    """

    def __init__(self, parameters: Sequence[nn.Parameter]) -> None:
        flat = torch.cat([parameter.detach().reshape(-1) for parameter in parameters])
        self.values = nn.Parameter(flat)
        self._gradient = torch.zeros_like(flat)
        self.values.grad = self._gradient
        sizes = [parameter.numel() for parameter in parameters]
        slices = (flat.split(sizes), self._gradient.split(sizes))
        for parameter, values, gradient in zip(parameters, *slices, strict=True):
            parameter.data = values.view(parameter.shape)
            parameter.grad = gradient.view(parameter.shape)

    def backward(self, loss: Tensor) -> dict[Any, Tensor]:
        """Take the gradient of a loss; by parameter, as RLlib's learners hand it on."""
        self._gradient.zero_()
        loss.backward()
        return {self.values: self._gradient}
