"""Networks of state marginal matching: SAC's, a density model and a discriminator."""

from collections.abc import Mapping
from typing import Any

from torch import Tensor
from torch.nn import functional

from expedition.algorithms.core.networks import MLP
from expedition.algorithms.core.skill_module import SkillModule
from expedition.algorithms.core.whitening import Whitening
from expedition.algorithms.sac.module import SACModule
from expedition.algorithms.smm.density_settings import build_density


class SMMModule(SkillModule, SACModule):
    """SAC conditioned on a skill, q_z(s) and d(z|s), in the shared layout of the released code.

    One set of networks serves all skills: the one-hot skill is appended to the input of policy
    and critics. With one skill nothing is appended and there is no discriminator.
    """

    def setup(self) -> None:
        """Build the networks from the config's settings."""
        super().setup()
        if self.inference_only:
            return
        settings = self.model_config
        self.whiten = Whitening.from_settings(self.observation_space, settings)
        self.density = build_density(settings, self.whiten.dim, self.context_dim)
        if self.num_skills > 1:
            self.discriminator = build_discriminator(self.whiten.dim, settings)

    def get_non_inference_attributes(self) -> list[str]:
        """What an env runner does not need."""
        return [*super().get_non_inference_attributes(), "whiten", "density", "discriminator"]

    def log_discriminator(self, states: Tensor) -> Tensor:
        """Log d(·|s) ``[B, n]`` of whitened states ``[B, D]``."""
        return functional.log_softmax(self.discriminator(states), dim=1)


def build_discriminator(state_dim: int, settings: Mapping[str, Any]) -> MLP:
    """d(z|s): whitened states ``[B, D]`` to logits ``[B, n]``."""
    return MLP((state_dim, *settings["discriminator_hidden_sizes"], settings["num_skills"]))
