"""What the driver of the split layout holds: all policies, and the discriminator."""

from collections.abc import Mapping, Sequence

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from expedition.algorithms.core import squashed_gaussian
from expedition.algorithms.core.networks import EnsembleMLP
from expedition.algorithms.core.skill_module import SkillModule
from expedition.algorithms.core.whitening import Whitening
from expedition.algorithms.smm.module import build_discriminator


class MixtureModule(SkillModule):
    """The mixture Σ_z p(z) π_z: an episode draws z and acts with π_z throughout.

    The policies are one ensemble, a copy of the components'; each sees the observation alone.
    """

    def setup(self) -> None:
        """Build policies and discriminator from the config's settings."""
        super().setup()
        settings = self.model_config
        sizes = (self.obs_dim, *settings["hidden_sizes"], 2 * self.action_dim)
        self.policy = EnsembleMLP(self.num_skills, sizes, settings["policy_activation"])
        self.policy.requires_grad_(False)
        if not self.inference_only:
            self.whiten = Whitening.from_settings(self.observation_space, settings)
            self.discriminator = build_discriminator(self.whiten.dim, settings)

    @property
    def context_dim(self) -> int:
        """Width of the one-hot skill, also for a single component."""
        return self.num_skills

    def get_non_inference_attributes(self) -> list[str]:
        """What an env runner does not need."""
        return ["whiten", "discriminator"]

    def act(
        self, obs: Tensor, context: Tensor, generator: torch.Generator | None, explore: bool
    ) -> Tensor:
        """Draw from the policy of each row's skill, or take its mode."""
        heads = torch.einsum("nbh,bn->bh", self.policy(obs), context)
        mean, log_std = squashed_gaussian.split(heads)
        if not explore:
            return torch.tanh(mean)
        noise = torch.randn(mean.shape, generator=generator)
        return torch.tanh(torch.addcmul(mean, log_std.exp(), noise))

    def load_policies(self, policies: Sequence[Mapping[str, np.ndarray]]) -> None:
        """Copy the components' policies, ``state_dict``s of a single network each."""
        stacked = {
            name: torch.from_numpy(np.concatenate([policy[name] for policy in policies]))
            for name in policies[0]
        }
        self.policy.load_state_dict(stacked)

    def log_discriminator(self, states: Tensor) -> Tensor:
        """Log d(·|s) ``[B, n]`` of whitened states ``[B, D]``."""
        return functional.log_softmax(self.discriminator(states), dim=1)
