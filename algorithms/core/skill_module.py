"""Modules whose episode context is a one-hot skill."""

import torch
from torch import Tensor

from expedition.algorithms.core.module import OffPolicyModule
from expedition.algorithms.core.skills import SkillPrior


class SkillModule(OffPolicyModule):
    """Draws a skill for every episode; with a single one there is no context.

    Name it before the base that has the networks: ``class MyModule(SkillModule, SACModule)``.
    Needs the setting ``num_skills``; its config has ``SKILL_SETTINGS`` for evaluations.
    """

    def setup(self) -> None:
        """Make p(z) of as many skills as the config says; then as the other base does."""
        self.num_skills: int = self.model_config["num_skills"]
        self.prior = SkillPrior(self.num_skills)
        super().setup()

    @property
    def context_dim(self) -> int:
        """Width of the one-hot skill."""
        return self.num_skills if self.num_skills > 1 else 0

    def draw_context(self, episodes: int, generator: torch.Generator) -> Tensor:
        """One-hot skills; an evaluation that adapts p(z) brings its own."""
        if not self.context_dim:
            return super().draw_context(episodes, generator)
        return self.prior.draw(episodes, generator)

    def start_evaluation(self, skill: int | None = None) -> None:
        """Draw skills uniformly from here on, or use one ``skill`` throughout."""
        self.prior.start_evaluation(skill)
