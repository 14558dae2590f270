"""A Gaussian policy whose parameters exist once a task, evaluated for all tasks together."""

import math
from collections.abc import Mapping, Sequence
from itertools import pairwise

import torch
from torch import Tensor, nn

from expedition.algorithms.core.networks import Activation

Parameters = Mapping[str, Tensor]

MIN_LOG_STD = math.log(1e-6)
_LOG_2PI = math.log(2 * math.pi)


class AdaptablePolicy(nn.Module):
    """Meta-parameters of MAML: a policy's initial values and, if learned, its step sizes.

    The mean is a perceptron of the observation, the log standard deviation a free vector. With a
    bias transformation a vector ``context`` [c], zero at first, is appended to every observation:
    shifting it shifts the first layer's bias by W_c c, a change that has its own step size.
    Weights start Xavier uniform, biases zero.

    Args:
        obs_dim: Size of an observation.
        action_dim: Size of an action.
        hidden_sizes: Widths of the hidden layers.
        activation: Their non-linearity.
        init_std: Standard deviation of the actions at first.
        context_dim: c, 0 for no bias transformation.
        adapted: ``"all"`` parameters take the inner step, or the ``"bias"`` alone: ``context``.
        inner_lr: Step size, of every parameter at first.
        adaptive_steps: Meta-learn one step size for every adapted number.

    Source: Finn et al. 2017, algorithm 3; bias transformation: Finn et al. 2017b,
    arXiv:1709.04905, sec. 4.2; learned steps: Li et al. 2017, arXiv:1707.09835.
    """

    def __init__(
        self,
        obs_dim: int,
        action_dim: int,
        hidden_sizes: Sequence[int],
        *,
        activation: Activation = "relu",
        init_std: float = 1.0,
        context_dim: int = 0,
        adapted: str = "all",
        inner_lr: float = 0.1,
        adaptive_steps: bool = False,
    ) -> None:
        super().__init__()
        self.obs_dim = obs_dim
        self.activation = activation
        self.inner_lr = inner_lr
        self.initial = nn.ParameterDict()
        sizes = (obs_dim + context_dim, *hidden_sizes, action_dim)
        self.num_layers = len(sizes) - 1
        for layer, (rows, columns) in enumerate(pairwise(sizes)):
            self.initial[f"weight_{layer}"] = nn.init.xavier_uniform_(torch.empty(rows, columns))
            self.initial[f"bias_{layer}"] = torch.zeros(columns)
        self.initial["log_std"] = torch.full((action_dim,), math.log(init_std))
        if context_dim:
            self.initial["context"] = torch.zeros(context_dim)
        self.adapted = tuple(self.initial) if adapted == "all" else ("context",)
        self.steps = nn.ParameterDict()
        if adaptive_steps:
            for name in self.adapted:
                self.steps[name] = torch.full_like(self.initial[name], inner_lr)

    def stacked(self, num_tasks: int, meta: Parameters | None = None) -> dict[str, Tensor]:
        """The initial parameters once a task, ``[M, ...]`` each, differentiably.

        Args:
            num_tasks: M.
            meta: Values to use in place of this module's own, keyed as ``named_parameters``.
        """
        meta = dict(self.named_parameters()) if meta is None else meta
        return {
            name: meta[f"initial.{name}"].expand(num_tasks, *parameter.shape)
            for name, parameter in self.initial.items()
        }

    def step_size(self, name: str, meta: Parameters | None = None) -> Tensor | float:
        """Step size of an adapted parameter: of its shape where learned, else a number."""
        if name not in self.steps:
            return self.inner_lr
        return self.steps[name] if meta is None else meta[f"steps.{name}"]

    def mean(self, parameters: Parameters, obs: Tensor) -> Tensor:
        """Mean actions ``[M, B, action]`` of M tasks' parameters at ``obs`` ``[M, B, obs]``."""
        weight, bias = parameters["weight_0"], parameters["bias_0"].unsqueeze(1)
        if "context" in parameters:
            # The context is the same in every row: its share of the product is a bias.
            bias = bias + parameters["context"].unsqueeze(1) @ weight[:, self.obs_dim :]
            weight = weight[:, : self.obs_dim]
        x = torch.baddbmm(bias, obs, weight)
        for layer in range(1, self.num_layers):
            x = x.relu() if self.activation == "relu" else x.tanh()
            bias = parameters[f"bias_{layer}"].unsqueeze(1)
            x = torch.baddbmm(bias, x, parameters[f"weight_{layer}"])
        return x

    @staticmethod
    def log_std(parameters: Parameters) -> Tensor:
        """Log standard deviations ``[M, 1, action]``, floored."""
        return parameters["log_std"].clamp_min(MIN_LOG_STD).unsqueeze(1)

    def log_prob(self, parameters: Parameters, obs: Tensor, actions: Tensor) -> Tensor:
        """Log density ``[M, B]`` of ``actions`` ``[M, B, action]``."""
        return gaussian_log_prob(actions, self.mean(parameters, obs), self.log_std(parameters))


def gaussian_log_prob(actions: Tensor, mean: Tensor, log_std: Tensor) -> Tensor:
    """Log density of a diagonal Gaussian, summed over the last axis."""
    error = (actions - mean) * torch.exp(-log_std)
    return -(0.5 * error.square() + log_std + 0.5 * _LOG_2PI).sum(-1)
