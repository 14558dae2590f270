"""Modules whose episode context is a one-hot skill."""

import torch
from torch import Tensor

from expedition.algorithms.core.module import OffPolicyModule
from expedition.algorithms.core.skills import SkillPrior


class SkillModule(OffPolicyModule):
    """Draws a skill for every episode; with a single one there is no context.

    Name it before the base that has the networks: ``class MyModule(SkillModule, SACModule)``.
    Needs the settings ``num_skills`` and ``SKILL_SETTINGS``.
    """

    def setup(self) -> None:
        """Read p(z) from the config's settings; then as the other base does."""
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
