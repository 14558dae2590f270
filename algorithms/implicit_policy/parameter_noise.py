"""Exploration by parameter noise that lasts an episode (Plappert et al. 2018, arXiv:1706.01905)."""

from collections.abc import Sequence

import torch
from torch import Tensor

NUMBERS = 2**24  # episodes are numbered by integers that float32 holds exactly


class EpisodeNoise:
    """Standard normal offsets of parameters, one draw an episode, found again from its number.

    Args:
        shapes: Of the parameters.
    """

    def __init__(self, shapes: Sequence[torch.Size]) -> None:
        self._shapes = list(shapes)
        self._numbers: list[int] = []
        self._offsets: list[Tensor] = []

    def __call__(self, numbers: Tensor) -> list[Tensor]:
        """Offsets of each parameter, ``[n, *shape]``, for episodes of these ``numbers`` ``[n]``."""
        wanted = [int(number) for number in numbers.tolist()]
        if len(wanted) != len(self._numbers):
            self._numbers = [-1] * len(wanted)
            self._offsets = [torch.empty(len(wanted), *shape) for shape in self._shapes]
        for row, number in enumerate(wanted):
            if self._numbers[row] != number:
                generator = torch.Generator().manual_seed(number)
                for offset in self._offsets:
                    offset[row] = torch.randn(offset.shape[1:], generator=generator)
        self._numbers = wanted
        return self._offsets


@torch.no_grad()
def adapted(std: Tensor, distance: Tensor, target: float, factor: float) -> Tensor:
    """The next ``std``, smaller by ``factor`` if it moved actions further than ``target``.

    Otherwise it is larger by that factor. Source: sec. 3, adaptive noise scaling.
    """
    return torch.where(distance > target, std / factor, std * factor)
