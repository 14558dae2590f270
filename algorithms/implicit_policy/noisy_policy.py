"""A policy without a density: its parameters are noisy, and its dropout never stops."""

import math
from collections.abc import Sequence
from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn import functional


class NoisyLinear(nn.Module):
    """y = x W + b whose entries are μ + softplus(ρ) ε, drawn anew for every row of x.

    Given x, the entries of y are independent Gaussians of mean x μ_W + μ_b and variance
    x² σ_W² + σ_b²; drawing those instead of W and b is exact and costs two products.

    Source: Tang & Agrawal 2018, app. C.2; local reparametrisation of Kingma et al. 2015
    (arXiv:1506.02557, sec. 2.2).

    Args:
        fan_in: Width of x.
        fan_out: Width of y.
        rho: Every ρ at first.
    """

    def __init__(self, fan_in: int, fan_out: int, rho: float) -> None:
        super().__init__()
        bound = math.sqrt(3 / fan_in)
        self.weight_mean = nn.Parameter(torch.empty(fan_in, fan_out).uniform_(-bound, bound))
        self.bias_mean = nn.Parameter(torch.zeros(fan_out))
        self.weight_rho = nn.Parameter(torch.full((fan_in, fan_out), rho))
        self.bias_rho = nn.Parameter(torch.full((fan_out,), rho))

    def forward(self, x: Tensor, noise: Tensor) -> Tensor:
        """Evaluate on ``x`` ``[B, in]`` with standard normal ``noise`` ``[B, out]``."""
        mean = torch.addmm(self.bias_mean, x, self.weight_mean)
        weight_variance = functional.softplus(self.weight_rho).square()
        bias_variance = functional.softplus(self.bias_rho).square()
        variance = torch.addmm(bias_variance, x.square(), weight_variance)
        return torch.addcmul(mean, variance.sqrt(), noise)


class NoisyPolicy(nn.Module):
    """a = tanh of a perceptron with noisy parameters and dropout: f(s, ε) of NBP.

    A hidden layer is noisy linear, layer normalisation, ReLU; dropout precedes the last layer. All
    noise is live whenever the policy is evaluated, in training as in ``eval`` mode: it is what
    makes the policy a distribution, and the dropout patterns are what makes it multi-modal.

    Source: Tang & Agrawal 2018, sec. 4.2 and app. C.2.

    Args:
        obs_dim: Width of an observation.
        action_dim: Width of an action.
        hidden_sizes: Hidden widths.
        rho: Every ρ at first; standard deviations start at softplus(ρ).
        dropout: Probability that a feature is dropped.
        dropout_rescale: Whether kept features are divided by the probability of keeping.
        latent_dim: Standard normal numbers appended to the observation, fresh at every evaluation.
    """

    def __init__(
        self,
        obs_dim: int,
        action_dim: int,
        hidden_sizes: Sequence[int] = (64, 64),
        *,
        rho: float = -4.0,
        dropout: float = 0.5,
        dropout_rescale: bool = False,
        latent_dim: int = 0,
    ) -> None:
        super().__init__()
        self.latent_dim = latent_dim
        self._keep = 1.0 - dropout
        self._factor = 1.0 / self._keep if dropout_rescale else 1.0
        self._widths = (*hidden_sizes, action_dim)
        sizes = (obs_dim + latent_dim, *self._widths)
        self.layers = nn.ModuleList(NoisyLinear(*fans, rho=rho) for fans in pairwise(sizes))
        self.norms = nn.ModuleList(nn.LayerNorm(width) for width in hidden_sizes)

    def forward(self, obs: Tensor, generator: torch.Generator | None = None) -> Tensor:
        """Draw an action for every row.

        Args:
            obs: ``[B, obs]``.
            generator: Source of all the noise.

        Returns:
            ``[B, m]`` in (-1, 1), differentiable in the parameters and in ``obs``.
        """
        rows, device = len(obs), obs.device
        noise = torch.randn(
            rows, self.latent_dim + sum(self._widths), generator=generator, device=device
        )
        latent, *noises = noise.split((self.latent_dim, *self._widths), 1)
        x = torch.cat((obs, latent), 1) if self.latent_dim else obs
        for layer, norm, xi in zip(self.layers, self.norms, noises, strict=False):
            x = norm(layer(x, xi)).relu()
        if self._keep < 1.0:
            kept = torch.empty_like(x, requires_grad=False)
            x = x * kept.bernoulli_(self._keep, generator=generator)
            x = x if self._factor == 1.0 else x * self._factor
        return self.layers[-1](x, noises[-1]).tanh()
