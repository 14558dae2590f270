"""The recurrent Gaussian policy of RL²: in torch to learn, in NumPy to act."""

import math
from collections.abc import Mapping

import numpy as np
import torch
from torch import Tensor, nn
from torch.func import functional_call

from expedition.algorithms.core.gaussian_policy import MIN_LOG_STD, Gaussian, Parameters

EXTRA_INPUTS = 2  # the last reward, and whether the last step ended an episode


class RecurrentPolicy(nn.Module):
    """A GRU with a linear mean and a free log standard deviation, in float32.

    Its input is the observation, and action, reward and end of the step before. What a trial has
    taught is in the hidden state alone: it is carried from one episode of a trial to the next, and
    a trial starts from zeros.

    Args:
        obs_dim: Size of an observation.
        action_dim: Size of an action.
        hidden_size: Units of the GRU.
        init_std: Standard deviation of the actions at first.

    Source: Duan et al. 2016, arXiv:1611.02779, sec. 2.2-2.3.
    """

    def __init__(
        self, obs_dim: int, action_dim: int, hidden_size: int, init_std: float = 1.0
    ) -> None:
        super().__init__()
        self.action_dim = action_dim
        self.gru = nn.GRU(obs_dim + action_dim + EXTRA_INPUTS, hidden_size)
        for name, parameter in self.gru.named_parameters():
            if name.startswith("bias"):
                nn.init.zeros_(parameter)
            for gate in parameter.chunk(3) if name.startswith("weight") else ():
                initialise = nn.init.orthogonal_ if "hh" in name else nn.init.xavier_uniform_
                initialise(gate)
        self.mean = nn.Linear(hidden_size, action_dim)
        nn.init.xavier_uniform_(self.mean.weight)
        nn.init.zeros_(self.mean.bias)
        self.log_std = nn.Parameter(torch.full((1, 1, action_dim), math.log(init_std)))

    def forward(self, inputs: Tensor) -> Tensor:
        """Mean actions ``[T, n, action]`` of n trials from their first step on.

        Args:
            inputs: ``[T, n, obs + action + 2]``.
        """
        return self.mean(self.gru(inputs)[0])

    def distribution(self, parameters: Parameters, inputs: Tensor) -> Gaussian:
        """The policy with other parameters, keyed as ``named_parameters``."""
        mean = functional_call(self, dict(parameters), (inputs,))
        return Gaussian(mean, parameters["log_std"].clamp_min(MIN_LOG_STD))


class ActingTrials:
    """The same policy in NumPy: M tasks with C parallel trials each, step by step.

    Products are of one task's rows at a time, so that a task's actions are the same to the last bit
    whatever the other tasks in the batch are.

    Args:
        parameters: Of a ``RecurrentPolicy``.
        trials: M and C.
    """

    def __init__(self, parameters: Mapping[str, np.ndarray], trials: tuple[int, int]) -> None:
        self._input = np.ascontiguousarray(parameters["gru.weight_ih_l0"].T)
        self._carry = np.ascontiguousarray(parameters["gru.weight_hh_l0"].T)
        self._input_bias = parameters["gru.bias_ih_l0"]
        self._carry_bias = parameters["gru.bias_hh_l0"]
        self._mean = np.ascontiguousarray(parameters["mean.weight"].T)
        self._mean_bias = parameters["mean.bias"]
        self.std = np.exp(np.maximum(parameters["log_std"], MIN_LOG_STD))
        self._hidden = np.zeros((*trials, len(self._carry)), np.float32)
        self._before = np.zeros((*trials, len(self._mean_bias) + EXTRA_INPUTS), np.float32)

    def means(self, obs: np.ndarray) -> np.ndarray:
        """Take in observations ``[M, C, obs]``; mean actions ``[M, C, action]``."""
        inputs = np.concatenate([obs, self._before], -1)
        from_input = inputs @ self._input + self._input_bias
        carried = self._hidden @ self._carry + self._carry_bias
        size = self._hidden.shape[-1]
        gates = 1 / (1 + np.exp(-(from_input[..., : 2 * size] + carried[..., : 2 * size])))
        reset, update = gates[..., :size], gates[..., size:]
        fresh = np.tanh(from_input[..., 2 * size :] + reset * carried[..., 2 * size :])
        self._hidden = fresh + update * (self._hidden - fresh)
        return self._hidden @ self._mean + self._mean_bias

    def note(self, actions: np.ndarray, rewards: np.ndarray, ends: np.ndarray) -> None:
        """Take in what the step brought: ``[M, C, action]``, ``[M, C]``, ``[M, C]``."""
        self._before[..., : actions.shape[-1]] = actions
        self._before[..., -2] = rewards
        self._before[..., -1] = ends
