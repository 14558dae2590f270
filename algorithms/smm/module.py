"""Networks of state marginal matching: SAC's, a density model and a discriminator."""

from typing import Any

import torch
from torch import Tensor
from torch.nn import functional

from expedition.algorithms.core.networks import MLP
from expedition.algorithms.core.skills import SkillPrior
from expedition.algorithms.core.whitening import Whitening
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
