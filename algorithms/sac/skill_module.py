"""Soft actor-critic conditioned on a skill."""

import torch
from torch import Tensor

from expedition.algorithms.core.skills import SkillPrior
from expedition.algorithms.sac.module import SACModule


class SkillSACModule(SACModule):
    """SAC whose networks get the one-hot skill of the episode beside the observation.

    One set of networks serves all skills. With one skill nothing is appended. Needs the settings
    ``num_skills`` and ``SKILL_SETTINGS``.
    """

    def setup(self) -> None:
        """Build the networks from the config's settings."""
        settings = self.model_config
        self.num_skills: int = settings["num_skills"]
        is_adaptive = settings["test_time_prior"] == "adaptive"
        self.prior = SkillPrior(self.num_skills, is_adaptive, settings["latent_prior_coeff"])
        super().setup()

    @property
    def context_dim(self) -> int:
        """Width of the one-hot skill."""
        return self.num_skills if self.num_skills > 1 else 0

    def draw_context(self, episodes: int, generator: torch.Generator) -> Tensor:
        """One-hot skills, uniform in training."""
        if not self.context_dim:
            return super().draw_context(episodes, generator)
        return self.prior.draw(episodes, generator)

    def start_evaluation(self, skill: int | None = None) -> None:
        """Adapt p(z) from here on, if the config says so, or use one ``skill`` throughout."""
        self.prior.start_evaluation(skill)
