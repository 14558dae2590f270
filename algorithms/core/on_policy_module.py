"""The Gaussian policy of the on-policy methods as an RLModule."""

import torch
from torch import Tensor

from expedition.algorithms.core.gaussian_policy import Gaussian, GaussianPolicy
from expedition.algorithms.core.module import OffPolicyModule


class GaussianModule(OffPolicyModule):
    """A ``GaussianPolicy``; ``act`` clips its actions to (-1, 1).

    The clipping belongs to the environment: log-probabilities are of the unclipped action.
    """

    tasks: int | None = None
    latent_dim = 0

    def setup(self) -> None:
        """Build the policy from the config's settings."""
        super().setup()
        settings = self.model_config
        self.policy = GaussianPolicy(
            self.obs_dim,
            self.action_dim,
            tuple(settings["hidden_sizes"]),
            latent_dim=self.latent_dim,
            activation=settings["activation"],
            init_std=settings["init_std"],
            tasks=self.tasks,
        )

    def get_non_inference_attributes(self) -> list[str]:
        """An env runner needs the whole policy."""
        return []

    @property
    def context_dim(self) -> int:
        """Size of the latent."""
        return self.latent_dim

    def act(
        self, obs: Tensor, context: Tensor, generator: torch.Generator | None, explore: bool
    ) -> Tensor:
        """Draw from the policy or take its mean; see ``OffPolicyModule.act``."""
        policy = self.distribution(obs, context)
        mean = policy.mean
        if explore:
            noise = torch.randn(mean.shape, generator=generator)
            mean = mean + policy.log_std.exp() * noise
        return mean.clamp(-1, 1)

    def distribution(self, obs: Tensor, context: Tensor) -> Gaussian:
        """The policy at ``obs`` ``[n, obs]`` with latents ``[n, latent]``."""
        own = dict(self.policy.named_parameters())
        if self.latent_dim:
            obs = torch.cat((obs, context), -1)
        return Gaussian(self.policy.mean(own, obs), self.policy.floored_log_std(own))
