"""A perceptron's Gaussian over actions: shared by all tasks, or one a task, evaluated together."""

import math
from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor, nn

from expedition.algorithms.core.networks import Activation

Parameters = Mapping[str, Tensor]

MIN_LOG_STD = math.log(1e-6)
_LOG_2PI = math.log(2 * math.pi)


class GaussianPolicy(nn.Module):
    """a ~ N(MLP([o; z]), diag exp(2 log_std)); the standard deviations do not depend on o.

    With ``tasks`` the parameters have a leading axis M, one policy a task; otherwise they are
    shared. Weights start Xavier uniform and biases zero. Methods take the parameters to use, keyed
    as ``named_parameters``, so that a line search can evaluate others.

    Args:
        obs_dim: Size of an observation.
        latent_dim: Size of the latent z that is constant in an episode; 0 for none.
        action_dim: Size of an action.
        hidden_sizes: Widths of the hidden layers.
        activation: Their non-linearity.
        init_std: Standard deviation of the actions at first.
        tasks: M, or ``None`` for one policy shared by all.
        dtype: Of the parameters.
    """

    def __init__(
        self,
        obs_dim: int,
        action_dim: int,
        hidden_sizes: Sequence[int],
        *,
        latent_dim: int = 0,
        activation: Activation = "relu",
        init_std: float = 1.0,
        tasks: int | None = None,
        dtype: torch.dtype = torch.float32,
    ) -> None:
        super().__init__()
        self.obs_dim, self.latent_dim, self.action_dim = obs_dim, latent_dim, action_dim
        self.activation = activation
        lead = () if tasks is None else (tasks,)
        sizes = (obs_dim + latent_dim, *hidden_sizes, action_dim)
        self.num_layers = len(sizes) - 1
        for layer, (rows, columns) in enumerate(pairwise(sizes)):
            bound = math.sqrt(6.0 / (rows + columns))
            weight = torch.empty(*lead, rows, columns, dtype=dtype).uniform_(-bound, bound)
            self.register_parameter(f"weight_{layer}", nn.Parameter(weight))
            bias = torch.zeros(*lead, 1, columns, dtype=dtype)
            self.register_parameter(f"bias_{layer}", nn.Parameter(bias))
        log_std = torch.full((*lead, 1, action_dim), math.log(init_std), dtype=dtype)
        self.log_std = nn.Parameter(log_std)

    def mean(self, parameters: Parameters, obs: Tensor, latents: Tensor | None = None) -> Tensor:
        """Mean actions.

        Args:
            parameters: Keyed as ``named_parameters``.
            obs: ``[M, B, obs]``, or ``[..., B, obs]`` with shared parameters.
            latents: One for all B rows, ``[..., latent]``, if the policy has them.

        Returns:
            ``[..., B, action]``.
        """
        weight, bias = parameters["weight_0"], parameters["bias_0"]
        if latents is not None:
            # The latent is the same in all B rows: its share of the product is a bias.
            bias = bias + latents.unsqueeze(-2) @ weight[..., self.obs_dim :, :]
            weight = weight[..., : self.obs_dim, :]
        x = obs @ weight + bias
        for layer in range(1, self.num_layers):
            x = x.relu() if self.activation == "relu" else x.tanh()
            x = x @ parameters[f"weight_{layer}"] + parameters[f"bias_{layer}"]
        return x

    @staticmethod
    def floored_log_std(parameters: Parameters) -> Tensor:
        """Log standard deviations ``[..., 1, action]``, not below that of 1e-6."""
        return parameters["log_std"].clamp_min(MIN_LOG_STD)


class ActingPolicy:
    """The same policy in NumPy, for sampling: M tasks with C parallel episodes each.

    The layers multiply one task's rows at a time, so that a task's actions are the same to the last
    bit whatever the other tasks in the batch are.

    Args:
        parameters: Of a ``GaussianPolicy``, shared or one a task.
        activation: As of the policy.
        latents: ``[M, C, latent]``, constant in the episodes, if the policy has them.
    """

    def __init__(
        self,
        parameters: Mapping[str, np.ndarray],
        activation: Activation,
        latents: np.ndarray | None = None,
    ) -> None:
        self.log_std = np.maximum(parameters["log_std"], MIN_LOG_STD)
        self.std = np.exp(self.log_std)
        self._is_relu = activation == "relu"
        count = sum(name.startswith("weight_") for name in parameters)
        self._layers = [
            (parameters[f"weight_{layer}"], parameters[f"bias_{layer}"]) for layer in range(count)
        ]
        if latents is not None:
            weight, bias = self._layers[0]
            rows = weight.shape[-2] - latents.shape[-1]
            bias = bias + latents.astype(weight.dtype) @ weight[..., rows:, :]
            self._layers[0] = (np.ascontiguousarray(weight[..., :rows, :]), bias)

    def draw(self, obs: np.ndarray, noise: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Means and actions at ``obs`` ``[M, C, obs]``; see ``Actor.draw``."""
        means = self.means(obs).astype(np.float32)
        return means, (means + self.std * noise).astype(np.float32)

    def means(self, obs: np.ndarray) -> np.ndarray:
        """Mean actions ``[M, C, action]`` at ``obs`` ``[M, C, obs]``."""
        (weight, bias), *rest = self._layers
        x = obs @ weight
        x += bias
        for weight, bias in rest:
            x = np.maximum(x, 0.0, out=x) if self._is_relu else np.tanh(x, out=x)
            x = x @ weight
            x += bias
        return x


class Gaussian(NamedTuple):
    """Diagonal Gaussians: ``mean`` ``[..., action]``, ``log_std`` broadcast to it."""

    mean: Tensor
    log_std: Tensor

    def log_prob(self, actions: Tensor) -> Tensor:
        """Log density ``[...]``."""
        error = (actions - self.mean) * torch.exp(-self.log_std)
        return -(0.5 * error.square() + self.log_std + 0.5 * _LOG_2PI).sum(-1)

    def kl_to(self, new: "Gaussian") -> Tensor:
        """KL(self ‖ new) ``[...]``, nats, in float64."""
        mean, log_std = (value.double() for value in self)
        new_mean, new_log_std = (value.double() for value in new)
        variance = (2 * (log_std - new_log_std)).exp()
        error = (mean - new_mean).square() * (-2 * new_log_std).exp()
        return (0.5 * (variance + error - 1) + new_log_std - log_std).sum(-1)

    def detached(self) -> "Gaussian":
        """The same without gradients."""
        return Gaussian(self.mean.detach(), self.log_std.detach())
