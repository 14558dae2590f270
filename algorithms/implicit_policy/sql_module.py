"""Networks of soft Q-learning."""

import torch
from torch import Tensor

from expedition.algorithms.core.module import OffPolicyModule
from expedition.algorithms.core.networks import MLP


class SQLModule(OffPolicyModule):
    """The sampling network f(s, ξ) with ξ ~ N(0, I_m), the Q-network and its target."""

    def setup(self) -> None:
        """Build the networks from the config's settings."""
        super().setup()
        hidden = tuple(self.model_config["hidden_sizes"])
        width = self.obs_dim + self.action_dim
        self.sampler = MLP((width, *hidden, self.action_dim))
        if self.inference_only:
            return
        self.q = MLP((width, *hidden, 1))
        self.q_target = MLP((width, *hidden, 1)).requires_grad_(False)
        self.q_target.load_state_dict(self.q.state_dict())

    def get_non_inference_attributes(self) -> list[str]:
        """What an env runner does not need."""
        return ["q", "q_target"]

    def actions(self, obs: Tensor, latents: Tensor) -> Tensor:
        """Actions tanh f(s, ξ) ``[B, m]`` from ``obs`` ``[B, obs]`` and ``latents`` ``[B, m]``."""
        return self.sampler(torch.cat((obs, latents), 1)).tanh()

    def q_values(self, obs: Tensor, actions: Tensor) -> Tensor:
        """Q ``[B]`` of ``obs`` ``[B, obs]`` as they come and ``actions`` ``[B, m]``."""
        return self.q(torch.cat((obs, actions), 1)).squeeze(-1)

    def act(
        self, obs: Tensor, context: Tensor, generator: torch.Generator | None, explore: bool
    ) -> Tensor:
        """Draw actions, exploring or not: the policy has no mode that is known."""
        latents = torch.randn(len(obs), self.action_dim, generator=generator)
        return self.actions(obs, latents)
