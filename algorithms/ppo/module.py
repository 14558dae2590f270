"""Policy, value function and observation filter of proximal policy optimisation."""

from typing import Any

import torch
from ray.rllib.core.columns import Columns
from ray.rllib.core.rl_module.apis.value_function_api import ValueFunctionAPI
from torch import Tensor

from expedition.algorithms.core.module import OffPolicyModule
from expedition.algorithms.ppo.observation_filter import ObservationFilter
from expedition.algorithms.ppo.policy import (
    DensityPolicy,
    Draw,
    GaussianDensityPolicy,
    StateNet,
)


class PPOModule(OffPolicyModule, ValueFunctionAPI):
    """A policy with a density, and a value net of its own; a subclass may make another policy.

    Raw actions count in half-widths of the environment's bounds, whose middle is 0.
    """

    policy: DensityPolicy

    def setup(self) -> None:
        """Build the nets from the config's settings."""
        super().setup()
        settings = self.model_config
        self.bounds = settings["action_bounds"]
        self.filter = ObservationFilter(self.obs_dim, settings["observation_clip"])
        self.policy = self.make_policy()
        if not self.inference_only:
            sizes = (self.obs_dim, *settings["value_hidden_sizes"], 1)
            self.vf = StateNet(sizes, settings["value_activation"])

    def make_policy(self) -> Any:
        """The policy; here a Gaussian."""
        return GaussianDensityPolicy(
            self.state_net(), self.action_dim, self.model_config["init_std"], self.is_squashed
        )

    def state_net(self) -> StateNet:
        """The perceptron of observations that a policy is made with, zero at first or nearly."""
        settings = self.model_config
        return StateNet(
            (self.obs_dim, *settings["hidden_sizes"], self.action_dim),
            settings["activation"],
            layer_norm=settings["layer_norm"],
            output_scale=settings["output_scale"],
        )

    @property
    def is_squashed(self) -> bool:
        """Whether actions are tanh of raw actions."""
        return self.model_config["action_bounds"] == "squash"

    def get_non_inference_attributes(self) -> list[str]:
        """What an env runner does not need."""
        return ["vf"]

    def draw(self, obs: Tensor, generator: torch.Generator | None) -> Draw:
        """Draw raw actions at unfiltered ``obs`` ``[n, obs]``, with their log densities."""
        noise = torch.randn(len(obs), self.action_dim, generator=generator, device=obs.device)
        return self.policy.draw(self.filter(obs), noise)

    def act(
        self, obs: Tensor, context: Tensor, generator: torch.Generator | None, explore: bool
    ) -> Tensor:
        """Draw actions or, if the policy has one, take its mode; see ``OffPolicyModule.act``.

        With ``action_bounds: raw`` they may leave (-1, 1).
        """
        raw = None if explore else self.policy.mode(self.filter(obs))
        return self.to_action(self.draw(obs, generator).raw if raw is None else raw)

    def to_action(self, raw: Tensor) -> Tensor:
        """What the environment gets of raw actions, before scaling to its bounds."""
        if self.bounds == "clip":
            return raw.clamp(-1, 1)
        return torch.tanh(raw) if self.is_squashed else raw

    def compute_values(self, batch: dict[str, Any], embeddings: Any = None) -> Tensor:
        """State values ``[B]`` at the batch's observations."""
        return self.values(self.filter(batch[Columns.OBS]))

    def values(self, features: Tensor) -> Tensor:
        """State values ``[B]`` at filtered observations."""
        return self.vf(features).squeeze(-1)

    def _forward(self, batch: dict[str, Any], **kwargs: Any) -> dict[str, Any]:
        """Raw actions and their log densities, which RLlib's own env runners store."""
        draw = self.draw(batch[Columns.OBS], None)
        return {Columns.ACTIONS: draw.raw, Columns.ACTION_LOGP: draw.log_prob}

    def _forward_train(self, batch: dict[str, Any], **kwargs: Any) -> dict[str, Any]:
        return {}  # the learner asks for densities
