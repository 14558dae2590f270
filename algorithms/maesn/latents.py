"""Variational parameters of tasks, and the step by which episodes improve them."""

from typing import NamedTuple

import torch
from torch import Tensor


class Latents(NamedTuple):
    """Diagonal Gaussians over latents: ``means`` and ``log_stds``, both ``[M, d]``."""

    means: Tensor
    log_stds: Tensor

    @classmethod
    def prior(cls, tasks: int, latent_dim: int) -> "Latents":
        """N(0, I) for each task."""
        zeros = torch.zeros(tasks, latent_dim, dtype=torch.float64)
        return cls(zeros, zeros.clone())

    def draw(self, noise: Tensor) -> Tensor:
        """Latents m + σ ε ``[M, K, d]`` for standard normal ``noise`` ``[M, K, d]``."""
        return self.means.unsqueeze(1) + self.log_stds.exp().unsqueeze(1) * noise

    def kl_to_prior(self) -> Tensor:
        """KL to N(0, I), ``[M]`` in nats: Σ_j (m² + σ² - 1)/2 - log σ."""
        return (0.5 * (self.means.square() + (2 * self.log_stds).exp() - 1) - self.log_stds).sum(-1)


class Steps(NamedTuple):
    """Step sizes of means and log standard deviations, ``[d]`` or ``[M, d]``."""

    means: Tensor
    log_stds: Tensor

    def scaled(self, factor: float) -> "Steps":
        """All of them times ``factor``."""
        return Steps(factor * self.means, factor * self.log_stds)


def likelihood_gradient(latents: Latents, drawn: Tensor, advantages: Tensor) -> Latents:
    """Gradient of (1/K) Σ_k Ā_k log N(z_k; m, σ) in m and log σ, the draws taken as data.

    With e = (z - m)/σ it is (1/K) Σ Ā e / σ and (1/K) Σ Ā (e² - 1): no network is involved, and
    autograd of it is the exact second derivative.

    Args:
        latents: m and log σ ``[M, d]``.
        drawn: z ``[M, K, d]``.
        advantages: Ā ``[M, K]``, standardised over the episodes of a task.

    Source: Gupta et al. 2018, arXiv:1802.07245, eq. 5-6; log σ is moved, as in the released code.
    """
    sigma = latents.log_stds.exp()
    error = (drawn - latents.means.unsqueeze(1)) / sigma.unsqueeze(1)
    weight = advantages.unsqueeze(-1)
    return Latents((weight * error).mean(1) / sigma, (weight * (error.square() - 1)).mean(1))


def adapted(latents: Latents, drawn: Tensor, advantages: Tensor, steps: Steps) -> Latents:
    """The latents after one ascent step; see ``likelihood_gradient``."""
    gradient = likelihood_gradient(latents, drawn, advantages)
    return Latents(
        latents.means + steps.means * gradient.means,
        latents.log_stds + steps.log_stds * gradient.log_stds,
    )
