"""Networks of deep deterministic policy gradient, and its noisy acting."""

import torch
from torch import Tensor, nn

from expedition.algorithms.core.module import OffPolicyModule
from expedition.algorithms.implicit_policy.normalised_mlp import OUTPUT_SCALE, NormalisedMLP
from expedition.algorithms.implicit_policy.parameter_noise import NUMBERS, EpisodeNoise
from expedition.algorithms.implicit_policy.target_networks import frozen_copy
from expedition.algorithms.ppo.observation_filter import ObservationFilter


class DDPGCritic(nn.Module):
    """Q(s, a): a layer of the state alone, then one of that and the action.

    Args:
        obs_dim: Width of an observation.
        action_dim: Width of an action.
        hidden_sizes: The two widths.
    """

    def __init__(self, obs_dim: int, action_dim: int, hidden_sizes: tuple[int, int]) -> None:
        super().__init__()
        first, second = hidden_sizes
        self.first, self.first_norm = nn.Linear(obs_dim, first), nn.LayerNorm(first)
        self.second, self.second_norm = nn.Linear(first + action_dim, second), nn.LayerNorm(second)
        self.last = nn.Linear(second, 1)
        nn.init.uniform_(self.last.weight, -OUTPUT_SCALE, OUTPUT_SCALE)
        nn.init.zeros_(self.last.bias)

    @property
    def decayed(self) -> list[Tensor]:
        """Weights of the hidden layers, which are kept small."""
        return [self.first.weight, self.second.weight]

    def forward(self, obs: Tensor, actions: Tensor) -> Tensor:
        """``[B, obs], [B, m] -> [B]``."""
        of_state = self.first_norm(self.first(obs)).relu()
        of_both = self.second_norm(self.second(torch.cat((of_state, actions), 1))).relu()
        return self.last(of_both).squeeze(-1)


class DDPGModule(OffPolicyModule):
    """Actor, critic, their targets, the filter of observations and the scale of parameter noise.

    The context of an episode is the number from which its parameter noise is drawn.
    """

    noise_std: Tensor

    def setup(self) -> None:
        """Build the networks from the config's settings."""
        super().setup()
        settings = self.model_config
        hidden = tuple(settings["hidden_sizes"])
        self.filter = ObservationFilter(self.obs_dim, settings["observation_clip"])
        self.policy = NormalisedMLP((self.obs_dim, *hidden, self.action_dim))
        self.register_buffer("noise_std", torch.tensor(float(settings["parameter_noise"])))
        self._explores = settings["parameter_noise"] > 0
        self._noise = EpisodeNoise([p.shape for p in self.policy.perturbable])
        if self.inference_only:
            return
        self.q = DDPGCritic(self.obs_dim, self.action_dim, tuple(settings["critic_hidden_sizes"]))
        self.policy_target, self.q_target = frozen_copy(self.policy), frozen_copy(self.q)

    def get_non_inference_attributes(self) -> list[str]:
        """What an env runner does not need."""
        return ["q", "policy_target", "q_target"]

    @property
    def context_dim(self) -> int:
        """One number an episode."""
        return 1

    def draw_context(self, episodes: int, generator: torch.Generator) -> Tensor:
        """Numbers of episodes that start now."""
        return torch.randint(NUMBERS, (episodes, 1), generator=generator).float()

    def q_values(self, obs: Tensor, actions: Tensor) -> Tensor:
        """Q ``[B]`` of ``obs`` ``[B, obs]`` as they come and ``actions`` ``[B, m]``."""
        return self.q(self.filter(obs), actions)

    def act(
        self, obs: Tensor, context: Tensor, generator: torch.Generator | None, explore: bool
    ) -> Tensor:
        """Act with the perturbed policy of each row's episode, or with the policy itself."""
        filtered = self.filter(obs)
        if not (explore and self._explores):
            return self.policy(filtered).tanh()
        offsets = [self.noise_std * offset for offset in self._noise(context[:, 0])]
        return self.policy.perturbed(filtered, offsets).tanh()
