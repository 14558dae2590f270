"""The recurrent Gaussian policy of RL², and what it is fed."""

import math
from typing import NamedTuple

import torch
from torch import Tensor, nn

MIN_LOG_STD = math.log(1e-6)


class PreviousStep(NamedTuple):
    """What n trials saw of their last step; at a trial's start, zeros.

    Attributes:
        actions: ``[n, action]``.
        rewards: ``[n]``.
        ends: ``[n]``, 1 where the step ended an episode.
    """

    actions: Tensor
    rewards: Tensor
    ends: Tensor

    @classmethod
    def none(cls, trials: int, action_dim: int) -> "PreviousStep":
        """Before the first step of ``trials`` trials."""
        return cls(torch.zeros(trials, action_dim), torch.zeros(trials), torch.zeros(trials))


def policy_inputs(obs: Tensor, previous: PreviousStep) -> Tensor:
    """The vector ``[..., obs + action + 2]`` of a step: o, and the last a, r and d.

    Source: Duan et al. 2016, arXiv:1611.02779, sec. 2.2.
    """
    rewards, ends = previous.rewards.unsqueeze(-1), previous.ends.unsqueeze(-1)
    return torch.cat((obs, previous.actions, rewards, ends), -1)


class RecurrentPolicy(nn.Module):
    """A GRU with a linear mean and a free log standard deviation.

    What a trial has taught is in the GRU's hidden state alone: it is carried from one episode of a
    trial to the next, and a trial starts from zeros.

    Args:
        obs_dim: Size of an observation.
        action_dim: Size of an action.
        hidden_size: Units of the GRU.
        init_std: Standard deviation of the actions at first.
    """

    def __init__(
        self, obs_dim: int, action_dim: int, hidden_size: int, init_std: float = 1.0
    ) -> None:
        super().__init__()
        self.action_dim = action_dim
        self.hidden_size = hidden_size
        self.gru = nn.GRU(obs_dim + action_dim + 2, hidden_size)
        for name, parameter in self.gru.named_parameters():
            if name.startswith("weight_hh"):
                for gate in parameter.chunk(3):
                    nn.init.orthogonal_(gate)
            elif name.startswith("weight_ih"):
                nn.init.xavier_uniform_(parameter)
            else:
                nn.init.zeros_(parameter)
        self.mean = nn.Linear(hidden_size, action_dim)
        nn.init.xavier_uniform_(self.mean.weight, gain=0.1)  # first actions near zero
        nn.init.zeros_(self.mean.bias)
        self.free_log_std = nn.Parameter(torch.full((action_dim,), math.log(init_std)))

    @property
    def log_std(self) -> Tensor:
        """Log standard deviations ``[action]``, floored."""
        return self.free_log_std.clamp_min(MIN_LOG_STD)

    def initial_state(self, trials: int) -> Tensor:
        """Hidden state ``[n, hidden]`` at the start of n trials."""
        return torch.zeros(trials, self.hidden_size, dtype=self.mean.weight.dtype)

    def forward(self, inputs: Tensor, hidden: Tensor) -> tuple[Tensor, Tensor]:
        """Mean actions over time.

        Args:
            inputs: ``[T, n, obs + action + 2]``, see ``policy_inputs``.
            hidden: ``[n, hidden]`` before the first of the T steps.

        Returns:
            Means ``[T, n, action]`` and the hidden state ``[n, hidden]`` after the last step.
        """
        states, last = self.gru(inputs, hidden.unsqueeze(0))
        return self.mean(states), last.squeeze(0)

    def act(
        self,
        obs: Tensor,
        previous: PreviousStep,
        hidden: Tensor,
        generator: torch.Generator | None,
    ) -> tuple[Tensor, Tensor, Tensor]:
        """Draw actions for n trials; without a generator, take the mean.

        Returns:
            Actions and means ``[n, action]``, and the hidden state ``[n, hidden]`` to carry on.
        """
        means, hidden = self(policy_inputs(obs, previous).unsqueeze(0), hidden)
        mean = means[0]
        if generator is None:
            return mean, mean, hidden
        noise = torch.randn(mean.shape, generator=generator, dtype=mean.dtype)
        return mean + self.log_std.exp() * noise, mean, hidden
