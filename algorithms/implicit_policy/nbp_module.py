"""Networks of the non-parametric blackbox policy."""

import torch
from torch import Tensor

from expedition.algorithms.core.module import OffPolicyModule
from expedition.algorithms.core.networks import MLP
from expedition.algorithms.implicit_policy.classifier import ActionClassifier
from expedition.algorithms.implicit_policy.noisy_policy import NoisyPolicy
from expedition.algorithms.implicit_policy.target_networks import frozen_copy


class NBPModule(OffPolicyModule):
    """Noisy policy, Q-network, their targets, and the classifier of actions."""

    def setup(self) -> None:
        """Build the networks from the config's settings."""
        super().setup()
        settings = self.model_config
        self._scale = float(settings["observation_scale"])
        self.policy = NoisyPolicy(
            self.obs_dim,
            self.action_dim,
            tuple(settings["hidden_sizes"]),
            rho=float(settings["rho"]),
            dropout=float(settings["dropout"]),
            dropout_rescale=settings["dropout_rescale"],
            latent_dim=settings["latent_dim"],
        )
        if self.inference_only:
            return
        hidden = tuple(settings["critic_hidden_sizes"])
        self.q = MLP((self.obs_dim + self.action_dim, *hidden, 1))
        self.classifier = ActionClassifier(self.obs_dim, self.action_dim, hidden)
        self.policy_target = frozen_copy(self.policy)
        self.q_target = MLP((self.obs_dim + self.action_dim, *hidden, 1)).requires_grad_(False)
        self.q_target.load_state_dict(self.q.state_dict())

    def get_non_inference_attributes(self) -> list[str]:
        """What an env runner does not need."""
        return ["q", "classifier", "policy_target", "q_target"]

    def scaled(self, obs: Tensor) -> Tensor:
        """What every network sees of ``obs`` ``[B, obs]``."""
        return obs if self._scale == 1.0 else obs / self._scale

    def q_values(self, obs: Tensor, actions: Tensor) -> Tensor:
        """Q ``[B]`` of ``obs`` ``[B, obs]`` as they come and ``actions`` ``[B, m]``."""
        return self.q(torch.cat((self.scaled(obs), actions), 1)).squeeze(-1)

    def act(
        self, obs: Tensor, context: Tensor, generator: torch.Generator | None, explore: bool
    ) -> Tensor:
        """Draw actions, exploring or not: a policy of several modes has no sensible average."""
        return self.policy(self.scaled(obs), generator)
