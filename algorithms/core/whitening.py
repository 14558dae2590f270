"""The coordinates that exploration is about, mapped to a common range."""

from collections.abc import Mapping, Sequence
from typing import Any, Self

import numpy as np
import torch
from gymnasium import spaces
from torch import Tensor, nn

from expedition.algorithms.core.hyperparameters import Hyperparameter

STATE_SETTINGS: Mapping[str, Hyperparameter] = {
    "state_indices": Hyperparameter(
        None, "observation coordinates that exploration is about; none: all"
    ),
    "state_low": Hyperparameter(
        None, "smallest value of each of them, for whitening; none: the observation space's"
    ),
    "state_high": Hyperparameter(None, "largest value of each of them"),
}


class Whitening(nn.Module):
    """Selects coordinates and maps their range to [-1, 1].

    The ranges are fixed: a moving scale would make a model of the states chase its own input.

    Args:
        space: Observations.
        indices: Selected coordinates, ``None`` for all.
        low: Their smallest values, ``None`` to read them off ``space``.
        high: Their largest values.

    Raises:
        ValueError: If a range is missing and the space is unbounded, or the lengths differ.
    """

    low: Tensor
    half_width: Tensor

    def __init__(
        self,
        space: spaces.Box,
        indices: Sequence[int] | None,
        low: Sequence[float] | None,
        high: Sequence[float] | None,
    ) -> None:
        super().__init__()
        chosen = selected(indices, space.shape[0])
        lows = np.asarray(space.low[chosen] if low is None else low, dtype=np.float32)
        highs = np.asarray(space.high[chosen] if high is None else high, dtype=np.float32)
        if lows.shape != (len(chosen),) or highs.shape != (len(chosen),):
            raise ValueError(
                f"state_low and state_high must have {len(chosen)} entries, one a coordinate; "
                f"got {lows.size} and {highs.size}"
            )
        if not (np.isfinite(lows).all() and np.isfinite(highs).all() and (highs > lows).all()):
            raise ValueError(
                "the observation space has no finite range: "
                "set state_low and state_high (and state_indices to match fewer coordinates)"
            )
        self.dim = len(chosen)
        self._chosen = None if indices is None else chosen
        self.register_buffer("low", torch.from_numpy(lows))
        self.register_buffer("half_width", torch.from_numpy((highs - lows) / 2))

    @classmethod
    def from_settings(cls, space: spaces.Box, settings: Mapping[str, Any]) -> Self:
        """Of ``space`` with the values of ``STATE_SETTINGS``."""
        low, high = settings["state_low"], settings["state_high"]
        return cls(space, settings["state_indices"], low, high)

    def forward(self, obs: Tensor) -> Tensor:
        """Whiten ``obs`` ``[B, obs]`` to ``[B, D]``."""
        states = obs if self._chosen is None else obs[:, self._chosen]
        return (states - self.low) / self.half_width - 1


def selected(indices: Sequence[int] | None, dim: int) -> list[int]:
    """The chosen coordinates of ``dim``, all for ``None``.

    Raises:
        ValueError: If there is no such coordinate.
    """
    chosen = list(range(dim)) if indices is None else list(indices)
    if not all(0 <= index < dim for index in chosen):
        raise ValueError(
            f"state_indices={chosen}: the observation has {dim} coordinates, 0 to {dim - 1}"
        )
    return chosen
