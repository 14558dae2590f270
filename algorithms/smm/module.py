"""Networks of state marginal matching: SAC's, a density model and a discriminator."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from gymnasium import spaces
from torch import Tensor, nn
from torch.nn import functional

from expedition.algorithms.core.networks import MLP
from expedition.algorithms.core.skills import SkillPrior
from expedition.algorithms.sac.module import SACModule
from expedition.algorithms.smm.density import (
    DensityModel,
    ElboDensity,
    HistogramDensity,
    ReconstructionDensity,
)

_CODE_DIM = {"vae_elbo": 8, "vae_code": 128}


class SMMModule(SACModule):
    """SAC conditioned on a skill, q_z(s) and d(z|s), in the shared layout of the released code.

    One set of networks serves all skills: the one-hot skill is appended to the input of policy
    and critics. With one skill nothing is appended and there is no discriminator.
    """

    def setup(self) -> None:
        """Build the networks from the config's settings."""
        settings = self.model_config
        self.num_skills: int = settings["num_skills"]
        is_adaptive = settings["test_time_prior"] == "adaptive"
        self.prior = SkillPrior(self.num_skills, is_adaptive, settings["latent_prior_coeff"])
        super().setup()
        if self.inference_only:
            return
        self.whiten = Whitening(
            self.observation_space,
            settings["state_indices"],
            settings["state_low"],
            settings["state_high"],
        )
        self.density = build_density(settings, self.whiten.dim, self.context_dim)
        if self.num_skills > 1:
            sizes = (self.whiten.dim, *settings["discriminator_hidden_sizes"], self.num_skills)
            self.discriminator = MLP(sizes)

    @property
    def context_dim(self) -> int:
        """Width of the one-hot skill."""
        return self.num_skills if self.num_skills > 1 else 0

    def get_non_inference_attributes(self) -> list[str]:
        """What an env runner does not need."""
        return [*super().get_non_inference_attributes(), "whiten", "density", "discriminator"]

    def draw_context(self, episodes: int, generator: torch.Generator) -> Tensor:
        """One-hot skills, uniform over the mixture in training; p(z) in eq. 8."""
        if not self.context_dim:
            return super().draw_context(episodes, generator)
        return self.prior.draw(episodes, generator)

    def start_evaluation(self, skill: int | None = None) -> None:
        """Adapt p(z) from here on, if the config says so, or use one ``skill`` throughout."""
        self.prior.start_evaluation(skill)

    def log_discriminator(self, states: Tensor) -> Tensor:
        """Log d(·|s) ``[B, n]`` of whitened states ``[B, D]``."""
        return functional.log_softmax(self.discriminator(states), dim=1)


class Whitening(nn.Module):
    """Selects the coordinates whose marginal is matched and maps their range to [-1, 1].

    The ranges are fixed: a moving scale would make the density model chase its own input.

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
        chosen = list(range(space.shape[0])) if indices is None else list(indices)
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

    def forward(self, obs: Tensor) -> Tensor:
        """Whiten ``obs`` ``[B, obs]`` to ``[B, D]``."""
        states = obs if self._chosen is None else obs[:, self._chosen]
        return (states - self.low) / self.half_width - 1


def build_density(settings: dict[str, Any], state_dim: int, num_skills: int) -> DensityModel:
    """Make the density model that ``settings["density"]`` names.

    Args:
        settings: The config's hyperparameters.
        state_dim: Coordinates of a whitened state.
        num_skills: Width of the one-hot skill, 0 for none.
    """
    hidden = settings["density_hidden_sizes"]
    if settings["density"] == "histogram":
        return HistogramDensity(state_dim, num_skills, settings["density_bins"])
    code_dim: int = settings["density_code_dim"] or _CODE_DIM[settings["density"]]
    if settings["density"] == "vae_code":
        beta = settings["density_beta"]
        return ReconstructionDensity(state_dim, num_skills, hidden, code_dim, beta)
    samples, noise = settings["density_samples"], settings["density_noise"]
    return ElboDensity(state_dim, num_skills, hidden, code_dim, samples, noise)
