"""Stein variational gradient descent (Liu & Wang 2016, arXiv:1608.04471) over sets of actions."""

import math

import torch
from torch import Tensor

MIN_BANDWIDTH = 1e-3


def bandwidth(square_distances: Tensor) -> Tensor:
    """Kernel width h = median d² / log J of every set, at least 0.001.

    Of an even number of distances the median is the upper one of the two in the middle.

    Source: Haarnoja et al. 2017 (arXiv:1702.08165), app. D, and released code.

    Args:
        square_distances: d² ``[B, J, K]``.

    Returns:
        ``[B, 1, 1]``.
    """
    flat = square_distances.flatten(1)
    middle = flat.kthvalue(flat.shape[1] // 2 + 1, dim=1).values
    return (middle / math.log(square_distances.shape[1])).clamp(min=MIN_BANDWIDTH)[:, None, None]


def direction(fixed: Tensor, slopes: Tensor, moved: Tensor) -> Tensor:
    """Directions in which to move particles so that they come to follow a density.

    mean over j of κ(a_j, a_i) ∇ log p(a_j) + ∇_{a_j} κ(a_j, a_i), with κ = exp(-|a_j - a_i|² / h);
    h is taken as a constant.

    Source: Haarnoja et al. 2017, eq. 13.

    Args:
        fixed: The J > 1 particles a_j of every set, ``[B, J, m]``.
        slopes: ∇ log p at these, ``[B, J, m]``.
        moved: The K particles a_i, ``[B, K, m]``.

    Returns:
        ``[B, K, m]``.
    """
    apart = fixed[:, :, None] - moved[:, None]  # [B, J, K, m]
    square_distances = apart.square().sum(-1)
    h = bandwidth(square_distances)
    kernel = torch.exp(-square_distances / h)
    attraction = torch.einsum("bjk,bjm->bkm", kernel, slopes)
    repulsion = (-2 / h * kernel)[..., None] * apart
    return (attraction + repulsion.sum(1)) / fixed.shape[1]
