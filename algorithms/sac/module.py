"""Networks of soft actor-critic."""

import torch
from ray.rllib.utils.typing import StateDict
from torch import Tensor, nn

from expedition.algorithms.core import squashed_gaussian
from expedition.algorithms.core.module import OffPolicyModule
from expedition.algorithms.core.networks import MLP, EnsembleMLP


class SACModule(OffPolicyModule):
    """Squashed Gaussian policy, Q-ensemble, and target Q-networks (v2) or V and its target (v1).

    The episode context, where there is one, is appended to the observation of every network.
    """

    def setup(self) -> None:
        """Build the networks from the config's settings."""
        super().setup()
        settings = self.model_config
        hidden, activation = tuple(settings["hidden_sizes"]), settings["activation"]
        state_dim = self.obs_dim + self.context_dim
        policy_sizes = (state_dim, *hidden, 2 * self.action_dim)
        self.policy = MLP(policy_sizes, settings["policy_activation"])
        if self.inference_only:
            return
        q_sizes = (state_dim + self.action_dim, *hidden, 1)
        members = 2 if settings["twin_q"] else 1
        self.q = EnsembleMLP(members, q_sizes, activation)
        if settings["variant"] == "v1":
            self.v = MLP((state_dim, *hidden, 1), activation)
            self.v_target = _copy_of(self.v, MLP((state_dim, *hidden, 1), activation))
        else:
            self.q_target = _copy_of(self.q, EnsembleMLP(members, q_sizes, activation))
        if settings["alpha"] == "auto":
            start = torch.tensor(float(settings["initial_alpha"])).log()
            self.log_alpha = nn.Parameter(start)

    def get_non_inference_attributes(self) -> list[str]:
        """What an env runner does not need."""
        return ["q", "q_target", "v", "v_target", "log_alpha"]

    def state_input(self, obs: Tensor, context: Tensor | None) -> Tensor:
        """``[B, obs + context]``."""
        if context is None or context.shape[1] == 0:
            return obs
        return torch.cat((obs, context), dim=1)

    def act(
        self, obs: Tensor, context: Tensor, generator: torch.Generator | None, explore: bool
    ) -> Tensor:
        """Draw from the policy, or take its mode; see ``OffPolicyModule.act``."""
        heads = self.policy(self.state_input(obs, context))
        if not explore:
            return torch.tanh(heads[:, : self.action_dim])
        mean, log_std = squashed_gaussian.split(heads)
        noise = torch.randn(mean.shape, generator=generator)
        return torch.tanh(torch.addcmul(mean, log_std.exp(), noise))


def _copy_of(source: nn.Module, target: nn.Module) -> nn.Module:
    state: StateDict = source.state_dict()
    target.load_state_dict(state)
    return target.requires_grad_(False)
