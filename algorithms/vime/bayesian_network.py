"""Perceptrons with a Gaussian over every weight, and what a sample would teach them."""

import math
from collections.abc import Sequence
from itertools import pairwise
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn.functional import softplus

_LOG_2PI = math.log(2 * math.pi)


class _LayerPass(NamedTuple):
    """What one layer computed: inputs ``[M, S, B, in + 1]``, the rest ``[M, S, B, out]``."""

    inputs: Tensor
    deviation: Tensor
    noise: Tensor
    output: Tensor


class BayesianNetwork(nn.Module):
    """Variational posteriors q(θ) = Π N(μ, σ²), σ = log(1 + e^ρ), of M ReLU perceptrons.

    Weights are never sampled: a layer's output is Gaussian given its input, so that is sampled
    (local reparameterisation), with noise of its own for every row of a batch. A bias is the weight
    of a constant input. The likelihood is N(output, likelihood_std²).

    Args:
        sizes: Layer widths, input first, output last.
        prior_std: σ of the prior N(0, σ²), and of the posterior at first; μ starts N(0, 1).
        likelihood_std: Standard deviation of a target around the output.
        models: M, independent of each other and evaluated together.

    Source: Houthooft et al. 2016, arXiv:1605.09674, sec. 2.3-2.5 and app. A; Kingma et al. 2015.
    """

    def __init__(
        self,
        sizes: Sequence[int],
        prior_std: float = 0.5,
        likelihood_std: float = 5.0,
        models: int = 1,
    ) -> None:
        super().__init__()
        self.prior_std = prior_std
        self.likelihood_std = likelihood_std
        rho = math.log(math.expm1(prior_std))
        shapes = [(models, rows + 1, columns) for rows, columns in pairwise(sizes)]
        self.means = nn.ParameterList(torch.randn(shape) for shape in shapes)
        self.rhos = nn.ParameterList(torch.full(shape, rho) for shape in shapes)

    def forward(self, x: Tensor, num_samples: int, generator: torch.Generator) -> Tensor:
        """Sampled outputs ``[M, S, B, out]`` at ``x`` ``[M, B, in]``."""
        return self._passes(x, num_samples, generator)[-1].output

    def log_likelihood(
        self, x: Tensor, targets: Tensor, num_samples: int, generator: torch.Generator
    ) -> Tensor:
        """Mean over sampled networks of log N(target; output, likelihood_std²) ``[M, B]``."""
        return self._log_prob(self(x, num_samples, generator), targets)

    def divergence(self) -> Tensor:
        """KL(q ‖ prior) of all weights ``[M]``, in nats."""
        total = torch.zeros_like(self.means[0][:, 0, 0])
        variance = self.prior_std**2
        for mean, rho in zip(self.means, self.rhos, strict=True):
            std = softplus(rho)
            ratio = (std.square() + mean.square()) / variance
            total = total + (0.5 * (ratio - 1) - (std / self.prior_std).log()).sum((1, 2))
        return total

    def information_gain(
        self,
        x: Tensor,
        targets: Tensor,
        *,
        step: float,
        num_samples: int,
        generator: torch.Generator,
    ) -> Tensor:
        """Second-order KL(q_after ‖ q) of a step on each row alone; nothing is updated.

        One Newton-like step of size λ on a row's loss moves φ = (μ, ρ) by λ H⁻¹∇ℓ, H the Hessian
        of the KL at its minimum, a diagonal; so the KL is ½ λ² ∇ℓᵀ H⁻¹ ∇ℓ. The gradient of a row
        is the outer product of a layer's input and its output's gradient, for every row at once.

        Args:
            x: Inputs ``[M, B, in]``.
            targets: Observed outputs ``[M, B, out]``.
            step: λ.
            num_samples: Sampled networks a row's loss is averaged over.
            generator: Of the samples.

        Returns:
            Nats ``[M, B]``.

        Source: Houthooft et al. 2016, eq. 12-13, with 1/H = σ² for μ and σ²/(2 (dσ/dρ)²) for ρ;
        the released code leaves the ½ out.
        """
        with torch.enable_grad():
            passes = self._passes(x, num_samples, generator)
            total = -self._log_prob(passes[-1].output, targets).sum()
            slopes = torch.autograd.grad(total, [layer.output for layer in passes])
        gain = torch.zeros(x.shape[:2], dtype=x.dtype, device=x.device)
        with torch.no_grad():
            for layer, slope, rho in zip(passes, slopes, self.rhos, strict=True):
                variance = softplus(rho).square().unsqueeze(1)
                inputs = layer.inputs.permute(0, 2, 3, 1)  # [M, B, in + 1, S]
                to_mean = inputs @ slope.transpose(1, 2)
                # dσ/dρ cancels between gradient and Hessian.
                through_noise = (slope * layer.noise / layer.deviation).transpose(1, 2)
                to_deviation = inputs.square() @ through_noise
                gain += (to_mean.square() * variance).sum((2, 3))
                gain += 0.5 * (to_deviation * variance).square().sum((2, 3))
        return 0.5 * step**2 * gain

    def _passes(self, x: Tensor, num_samples: int, generator: torch.Generator) -> list[_LayerPass]:
        passes: list[_LayerPass] = []
        x = x.unsqueeze(1).expand(-1, num_samples, -1, -1)
        for mean, rho in zip(self.means, self.rhos, strict=True):
            x = torch.cat((x.relu() if passes else x, torch.ones_like(x[..., :1])), -1)
            deviation = (x.square() @ softplus(rho).square().unsqueeze(1)).sqrt()
            shape = deviation.shape
            noise = torch.randn(shape, generator=generator, dtype=x.dtype, device=x.device)
            output = x @ mean.unsqueeze(1) + deviation * noise
            passes.append(_LayerPass(x, deviation, noise, output))
            x = passes[-1].output
        return passes

    def _log_prob(self, outputs: Tensor, targets: Tensor) -> Tensor:
        error = (outputs - targets.unsqueeze(1)) / self.likelihood_std
        constant = math.log(self.likelihood_std) + 0.5 * _LOG_2PI
        return -(0.5 * error.square() + constant).sum(-1).mean(1)
