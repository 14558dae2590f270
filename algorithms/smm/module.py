"""Networks of state marginal matching: SAC's, a density model and a discriminator."""

from torch import Tensor
from torch.nn import functional

from expedition.algorithms.core.networks import MLP
from expedition.algorithms.core.whitening import Whitening
from expedition.algorithms.sac.skill_module import SkillSACModule
from expedition.algorithms.smm.density_settings import build_density


class SMMModule(SkillSACModule):
    """SAC conditioned on a skill, q_z(s) and d(z|s), in the shared layout of the released code.

    With one skill there is no discriminator.
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
            sizes = (self.whiten.dim, *settings["discriminator_hidden_sizes"], self.num_skills)
            self.discriminator = MLP(sizes)

    def get_non_inference_attributes(self) -> list[str]:
        """What an env runner does not need."""
        return [*super().get_non_inference_attributes(), "whiten", "density", "discriminator"]

    def log_discriminator(self, states: Tensor) -> Tensor:
        """Log d(·|s) ``[B, n]`` of whitened states ``[B, D]``."""
        return functional.log_softmax(self.discriminator(states), dim=1)
