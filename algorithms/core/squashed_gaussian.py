"""The tanh-squashed diagonal Gaussian of soft actor-critic."""

import math
from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn import functional

LOG_STD_MIN = -20.0
LOG_STD_MAX = 2.0
_LOG_SQRT_2PI = 0.5 * math.log(2 * math.pi)
_LOG_4 = 2 * math.log(2)


class SquashedSample(NamedTuple):
    """A reparameterised draw: ``action`` ``[B, A]`` in (-1, 1) and its ``log_prob`` ``[B]``."""

    action: Tensor
    log_prob: Tensor


def split(heads: Tensor) -> tuple[Tensor, Tensor]:
    """Split network output ``[B, 2A]`` into mean and clipped log standard deviation ``[B, A]``."""
    mean, log_std = heads.chunk(2, dim=-1)
    return mean, log_std.clamp(LOG_STD_MIN, LOG_STD_MAX)


def sample(mean: Tensor, log_std: Tensor, noise: Tensor) -> SquashedSample:
    """Draw ``tanh(mean + exp(log_std) * noise)`` and its log density.

    The log-determinant uses log(1 - tanh²u) = 2(log 2 - u - softplus(-2u)), exact for any u where
    the form with a small constant inside the logarithm is not.
    Source: Haarnoja et al. 2018, app. C.

    Args:
        mean: ``[B, A]``.
        log_std: ``[B, A]``.
        noise: Standard normal, ``[B, A]``.
    """
    u = torch.addcmul(mean, log_std.exp(), noise)
    per_dim = 2 * (u + functional.softplus(-2 * u)) - log_std - 0.5 * noise.square()
    log_prob = per_dim.sum(-1) - mean.shape[-1] * (_LOG_SQRT_2PI + _LOG_4)
    return SquashedSample(torch.tanh(u), log_prob)


def log_tanh_slope(u: Tensor) -> Tensor:
    """Log-determinant ``[B]`` of the derivative of tanh at ``u`` ``[B, A]``, exact for any u."""
    return 2 * (math.log(2) - u - functional.softplus(-2 * u)).sum(-1)
