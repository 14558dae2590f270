"""Models of the state density q_z(s), each with the same face.

``evaluate(states, skills)`` returns a loss to descend, or none, and the current log density,
detached; ``observe`` shows states that were newly visited. States are whitened ``[B, D]``, skills
one-hot ``[B, n]`` (``[B, 0]`` without skills). Log densities are in nats per whitened volume.
"""

import math
from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor, nn

from expedition.algorithms.core.networks import MLP

_LOG_2PI = math.log(2 * math.pi)


class DensityOutput(NamedTuple):
    """``loss``: scalar to descend, if the model learns by gradient; ``log_prob``: ``[B]``."""

    loss: Tensor | None
    log_prob: Tensor


class DensityModel(nn.Module):
    """Base of the density models."""

    def observe(self, states: Tensor, skills: Tensor) -> None:
        """Take in newly visited states, once each."""

    def typical_noise(self, states: Tensor) -> Tensor | None:
        """Fixed noise for ``evaluate``: all ones, one standard deviation from the code's mean.

        With it the log density is a deterministic function of the parameters, so that two
        evaluations may be compared. Source: released code, for pseudo-counts.
        """
        return None

    def evaluate(
        self,
        states: Tensor,
        skills: Tensor,
        generator: torch.Generator | None = None,
        noise: Tensor | None = None,
    ) -> DensityOutput:
        """Loss on and log density of replayed states.

        Args:
            states: ``[B, D]``, whitened.
            skills: One-hot ``[B, n]``.
            generator: Source of the noise, where the model draws any.
            noise: The noise itself, instead.
        """
        raise NotImplementedError


class _GaussianEncoder(nn.Module):
    """Encoder of the VAEs: hidden layers, then mean and log variance of the code."""

    def __init__(self, in_dim: int, hidden: Sequence[int], code_dim: int) -> None:
        super().__init__()
        self.net = MLP((in_dim, *hidden, 2 * code_dim))

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        mean, log_variance = self.net(x).chunk(2, dim=-1)
        return mean, log_variance.clamp(-20, 10)


class ElboDensity(DensityModel):
    """Conditional VAE whose importance-weighted bound stands for log q(s|z).

    log q(s|z) >= E log mean_k [N(s; decoder(c_k, z), σ²) N(c_k; 0, I) / N(c_k; encoder(s, z))].
    Source: Burda et al. 2016, eq. 8; conditioning on z instead of modelling it, so that q_z is a
    density of states for each skill, as eq. 8 of the paper needs.

    Args:
        state_dim: D.
        num_skills: Width of the one-hot skill, 0 for none.
        hidden: Widths of encoder and decoder.
        code_dim: Latent dimensions.
        samples: K.
        noise: σ, the resolution of the density in whitened units.
    """

    def __init__(
        self,
        state_dim: int,
        num_skills: int,
        hidden: Sequence[int],
        code_dim: int,
        samples: int,
        noise: float,
    ) -> None:
        super().__init__()
        self.encoder = _GaussianEncoder(state_dim + num_skills, hidden, code_dim)
        self.decoder = MLP((code_dim + num_skills, *hidden, state_dim))
        self.code_dim = code_dim
        self.samples = samples
        self.noise = noise

    def typical_noise(self, states: Tensor) -> Tensor:
        """Ones ``[K, B, code]``; see the base."""
        return states.new_ones(self.samples, len(states), self.code_dim)

    def evaluate(
        self,
        states: Tensor,
        skills: Tensor,
        generator: torch.Generator | None = None,
        noise: Tensor | None = None,
    ) -> DensityOutput:
        """Loss -mean(bound) and the bound ``[B]``; see the class."""
        batch, state_dim = states.shape
        mean, log_variance = self.encoder(torch.cat((states, skills), 1))
        if noise is None:
            shape = (self.samples, batch, self.code_dim)
            noise = torch.randn(shape, generator=generator, device=states.device)
        codes = torch.addcmul(mean, (0.5 * log_variance).exp(), noise)
        decoder_input = torch.cat((codes, skills.expand(self.samples, *skills.shape)), -1)
        decoded = self.decoder(decoder_input.flatten(0, 1)).view(self.samples, batch, state_dim)
        log_likelihood = -0.5 * ((states - decoded) / self.noise).square().sum(-1)
        log_likelihood = log_likelihood - state_dim * (math.log(self.noise) + 0.5 * _LOG_2PI)
        log_ratio = 0.5 * (noise.square() - codes.square() + log_variance).sum(-1)
        bound = (log_likelihood + log_ratio).logsumexp(0) - math.log(self.samples)
        return DensityOutput(-bound.mean(), bound.detach())


class ReconstructionDensity(DensityModel):
    """The released score: minus the squared reconstruction error of (s, z) from one sample.

    Not a density: there is no KL term, no variance and no normaliser in the score. It collapses
    to the distance from the mean where the data's variance is below beta * (D + n) / 2.
    Source: released code; loss beta * KL + mean squared error over batch and dimensions.

    Args:
        state_dim: D.
        num_skills: Width of the one-hot skill, 0 for none.
        hidden: Widths of encoder and decoder.
        code_dim: Latent dimensions.
        beta: Weight of the KL term.
    """

    def __init__(
        self, state_dim: int, num_skills: int, hidden: Sequence[int], code_dim: int, beta: float
    ) -> None:
        super().__init__()
        in_dim = state_dim + num_skills
        self.encoder = _GaussianEncoder(in_dim, hidden, code_dim)
        self.decoder = MLP((code_dim, *hidden, in_dim))
        self.code_dim = code_dim
        self.beta = beta

    def typical_noise(self, states: Tensor) -> Tensor:
        """Ones ``[B, code]``; see the base."""
        return states.new_ones(len(states), self.code_dim)

    def evaluate(
        self,
        states: Tensor,
        skills: Tensor,
        generator: torch.Generator | None = None,
        noise: Tensor | None = None,
    ) -> DensityOutput:
        """The VAE's loss and minus the squared error ``[B]``; see the class."""
        x = torch.cat((states, skills), 1)
        mean, log_variance = self.encoder(x)
        if noise is None:
            noise = torch.randn(mean.shape, generator=generator, device=x.device)
        decoded = self.decoder(torch.addcmul(mean, (0.5 * log_variance).exp(), noise))
        squared_error = (x - decoded).square()
        kl = 0.5 * (mean.square() + log_variance.exp() - 1 - log_variance).sum(-1).mean()
        loss = self.beta * kl + squared_error.mean()
        return DensityOutput(loss, -squared_error.sum(-1).detach())


class HistogramDensity(DensityModel):
    """Frequencies of the cells of a grid over the whitened box, one grid a skill.

    Exact up to the cell size, for at most three coordinates. Every cell starts with one count, so
    that unseen cells are finite.

    Args:
        state_dim: D, 1 to 3.
        num_skills: Width of the one-hot skill, 0 for none.
        bins: Cells an axis.
    """

    counts: Tensor
    _strides: Tensor

    def __init__(self, state_dim: int, num_skills: int, bins: int) -> None:
        super().__init__()
        if not 1 <= state_dim <= 3:
            raise ValueError(
                f"density='histogram' with {state_dim} coordinates: at most 3; choose them with "
                "state_indices or use density='vae_elbo'"
            )
        self.bins = bins
        self.register_buffer("counts", torch.ones(max(1, num_skills), bins**state_dim))
        self._log_cell = state_dim * math.log(2 / bins)
        self.register_buffer("_strides", bins ** torch.arange(state_dim), persistent=False)

    def observe(self, states: Tensor, skills: Tensor) -> None:
        """Count each state once in its skill's grid."""
        index = self._skill(skills) * self.counts.shape[1] + self._cell(states)
        ones = torch.ones(len(states), device=states.device)
        self.counts.view(-1).index_add_(0, index, ones)

    def evaluate(
        self,
        states: Tensor,
        skills: Tensor,
        generator: torch.Generator | None = None,
        noise: Tensor | None = None,
    ) -> DensityOutput:
        """No loss; log of the cell's frequency over its volume ``[B]``."""
        skill = self._skill(skills)
        frequency = self.counts[skill, self._cell(states)] / self.counts.sum(1)[skill]
        return DensityOutput(None, frequency.log() - self._log_cell)

    def _cell(self, states: Tensor) -> Tensor:
        axis = ((states + 1) * (self.bins / 2)).long().clamp(0, self.bins - 1)
        return (axis * self._strides).sum(1)

    def _skill(self, skills: Tensor) -> Tensor:
        if skills.shape[1] == 0:
            return torch.zeros(len(skills), dtype=torch.long, device=skills.device)
        return skills.argmax(1)
