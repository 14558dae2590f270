"""MAML's policy as an RLModule."""

import torch
from torch import Tensor

from expedition.algorithms.core.gaussian_policy import Gaussian
from expedition.algorithms.core.on_policy_module import GaussianModule
from expedition.algorithms.maml.policy import CONTEXT, AdaptablePolicy


class MAMLModule(GaussianModule):
    """The policy before adaptation, and its step sizes."""

    policy: AdaptablePolicy

    def setup(self) -> None:
        """Build the policy from the config's settings."""
        super().setup()
        self.policy = AdaptablePolicy.of(self.obs_dim, self.action_dim, self.model_config)

    def distribution(self, obs: Tensor, context: Tensor) -> Gaussian:
        """The policy before adaptation at ``obs`` ``[n, obs]``."""
        del context  # the bias transformation's is a parameter, not drawn for an episode
        own = self.policy.initial()
        mean = self.policy.mean(own, obs.to(torch.float32), own.get(CONTEXT))
        return Gaussian(mean, self.policy.floored_log_std(own))
