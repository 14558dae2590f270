"""Policies that imitate, as RLModules: they act on standardised observations."""

import copy
from typing import Any

import torch
from torch import Tensor, nn

from expedition.algorithms.core.module import OffPolicyModule
from expedition.algorithms.implicit_policy.classifier import ActionClassifier
from expedition.algorithms.implicit_policy.flow import CouplingFlow
from expedition.algorithms.implicit_policy.flow_policy import FlowPolicy
from expedition.algorithms.implicit_policy.noisy_policy import NoisyPolicy
from expedition.algorithms.ppo.policy import GaussianDensityPolicy, StateNet

_FEATURE_BOUND = 10.0  # standard deviations of the demonstrations


class ImitationModule(OffPolicyModule):
    """Base: mean and standard deviation of the demonstrated observations are buffers."""

    obs_mean: Tensor
    obs_std: Tensor

    def setup(self) -> None:
        """Make room for the statistics; subclasses build their policy."""
        super().setup()
        self.register_buffer("obs_mean", torch.zeros(self.obs_dim))
        self.register_buffer("obs_std", torch.ones(self.obs_dim))

    def features(self, obs: Tensor) -> Tensor:
        """Standardise ``obs`` ``[B, obs]``; far from the demonstrations, at most 10."""
        return ((obs - self.obs_mean) / self.obs_std).clamp(-_FEATURE_BOUND, _FEATURE_BOUND)

    def draw(self, obs: Tensor, generator: torch.Generator | None) -> Tensor:
        """Draw actions ``[B, action]`` in units of the bounds, which they may leave."""
        raise NotImplementedError

    def act(
        self, obs: Tensor, context: Tensor, generator: torch.Generator | None, explore: bool
    ) -> Tensor:
        """Draw actions and clip them to (-1, 1), whether exploring or not: modes are the point."""
        return self.draw(obs, generator).clamp(-1, 1)


class CloneModule(ImitationModule):
    """A policy with a density: a coupling flow, or a Gaussian."""

    def setup(self) -> None:
        """Build the policy from the config's settings."""
        super().setup()
        settings = self.model_config
        state_net = StateNet(
            (self.obs_dim, *settings["hidden_sizes"], self.action_dim),
            settings["activation"],
            layer_norm=settings["layer_norm"],
        )
        self.policy: Any
        if settings["policy"] == "gaussian":
            std = settings["init_std"]
            self.policy = GaussianDensityPolicy(state_net, self.action_dim, std, squash=False)
        else:
            flow = CouplingFlow.of(settings, self.obs_dim, self.action_dim)
            self.policy = FlowPolicy(state_net, flow)

    def get_non_inference_attributes(self) -> list[str]:
        """An env runner needs everything."""
        return []

    def draw(self, obs: Tensor, generator: torch.Generator | None) -> Tensor:
        """Draw from the density; see ``ImitationModule.draw``."""
        noise = torch.randn(len(obs), self.action_dim, generator=generator, device=obs.device)
        return self.policy.draw(self.features(obs), noise).raw


class GaussianGenerator(GaussianDensityPolicy):
    """A Gaussian that is used as a generator: draws alone, no density.

    It does not squash: the tanh of a wide Gaussian has two modes.
    """

    def forward(self, obs: Tensor, generator: torch.Generator | None = None) -> Tensor:
        """Actions ``[B, m]`` at ``obs`` ``[B, obs]``, differentiably."""
        mean = self.mean_net(obs)
        noise = torch.randn(mean.shape, generator=generator, device=obs.device)
        return torch.addcmul(mean, self.log_std.exp(), noise)


class GANImitationModule(ImitationModule):
    """The policy that learns, its running mean, which acts, and the discriminator."""

    def setup(self) -> None:
        """Build the networks from the config's settings."""
        super().setup()
        self.policy = self._make_policy()
        if not self.inference_only:
            self.learning_policy = copy.deepcopy(self.policy)
            self.policy.requires_grad_(False)
            sizes = self.model_config["discriminator_hidden_sizes"]
            self.discriminator = ActionClassifier(self.obs_dim, self.action_dim, sizes)

    def get_non_inference_attributes(self) -> list[str]:
        """What acting does not need."""
        return ["learning_policy", "discriminator"]

    def draw(self, obs: Tensor, generator: torch.Generator | None) -> Tensor:
        """Draw from the running mean; see ``ImitationModule.draw``."""
        return self.policy(self.features(obs), generator)

    def _make_policy(self) -> nn.Module:
        settings = self.model_config
        sizes = tuple(settings["hidden_sizes"])
        if settings["policy"] == "gaussian":
            mean_net = StateNet((self.obs_dim, *sizes, self.action_dim), "relu", layer_norm=True)
            return GaussianGenerator(mean_net, self.action_dim, settings["init_std"], squash=False)
        return NoisyPolicy(
            self.obs_dim,
            self.action_dim,
            sizes,
            rho=settings["rho"],
            dropout=settings["dropout"],
            dropout_rescale=settings["dropout_rescale"],
            latent_dim=settings["latent_dim"],
        )
