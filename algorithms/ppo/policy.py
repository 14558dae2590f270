"""What proximal policy optimisation asks of a policy, and the Gaussian that answers it."""

import math
from collections.abc import Sequence
from itertools import pairwise
from typing import NamedTuple, Protocol

import torch
from torch import Tensor, nn

from expedition.algorithms.core.networks import Activation
from expedition.algorithms.core.squashed_gaussian import log_tanh_slope

_LOG_SQRT_2PI = 0.5 * math.log(2 * math.pi)


class Draw(NamedTuple):
    """Raw actions ``[B, m]`` and the log densities of the actions they stand for ``[B]``."""

    raw: Tensor
    log_prob: Tensor


class DensityPolicy(Protocol):
    """A stochastic policy with a density.

    It deals in raw actions, which are what a rollout keeps; the action is the raw action or, if the
    policy squashes, its tanh. Densities are those of the action. Observations are filtered.
    """

    def draw(self, obs: Tensor, noise: Tensor) -> Draw:
        """Raw actions from standard normal ``noise`` ``[B, m]``, differentiably."""
        ...

    def mode(self, obs: Tensor) -> Tensor | None:
        """The raw actions to take when not exploring, ``[B, m]``; ``None`` to draw them."""
        ...

    def log_prob(self, obs: Tensor, raw: Tensor) -> Tensor:
        """Log densities ``[B]``."""
        ...

    def entropy(self, obs: Tensor, noise: Tensor) -> Tensor:
        """Mean entropy over ``obs`` ``[B, obs]``, a scalar, differentiably.

        Args:
            obs: ``[B, obs]``.
            noise: Standard normal, ``[E * B, m]``: E draws for each observation.
        """
        ...

    def statistics(self, obs: Tensor, raw: Tensor) -> dict[str, Tensor]:
        """Scalars to report."""
        ...


class StateNet(nn.Module):
    """A perceptron of observations, with layer normalisation if asked.

    Args:
        sizes: Layer widths, input first, output last.
        activation: Non-linearity of the hidden layers.
        layer_norm: Normalise before each of them.
        output_scale: The last layer starts uniform in ±output_scale, its bias at zero.
    """

    def __init__(
        self,
        sizes: Sequence[int],
        activation: Activation,
        *,
        layer_norm: bool = False,
        output_scale: float | None = None,
    ) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        for fan_in, fan_out in pairwise(sizes[:-1]):
            layers.append(nn.Linear(fan_in, fan_out))
            layers += [nn.LayerNorm(fan_out)] if layer_norm else []
            layers.append(nn.ReLU() if activation == "relu" else nn.Tanh())
        last = nn.Linear(sizes[-2], sizes[-1])
        if output_scale is not None:
            nn.init.uniform_(last.weight, -output_scale, output_scale)
            nn.init.zeros_(last.bias)
        self.layers = nn.Sequential(*layers, last)

    def forward(self, obs: Tensor) -> Tensor:
        """``[B, in] -> [B, out]``."""
        return self.layers(obs)


class GaussianDensityPolicy(nn.Module):
    """a ~ N(mean net(o), diag exp(2 log_std)); the standard deviations do not depend on o.

    Args:
        mean_net: ``[B, obs] -> [B, m]``.
        action_dim: m.
        init_std: Standard deviation at first.
        squash: Actions are tanh of raw actions.
    """

    def __init__(self, mean_net: nn.Module, action_dim: int, init_std: float, squash: bool) -> None:
        super().__init__()
        self.mean_net, self.squash = mean_net, squash
        self.log_std = nn.Parameter(torch.full((action_dim,), math.log(init_std)))

    def draw(self, obs: Tensor, noise: Tensor) -> Draw:
        """See ``DensityPolicy.draw``."""
        raw = torch.addcmul(self.mean_net(obs), self.log_std.exp(), noise)
        return Draw(raw, self._density(noise, raw))

    def mode(self, obs: Tensor) -> Tensor | None:
        """The mean."""
        return self.mean_net(obs)

    def log_prob(self, obs: Tensor, raw: Tensor) -> Tensor:
        """See ``DensityPolicy.log_prob``."""
        return self._density((raw - self.mean_net(obs)) * (-self.log_std).exp(), raw)

    def entropy(self, obs: Tensor, noise: Tensor) -> Tensor:
        """Exact; with ``squash`` from draws, as the tanh leaves no closed form."""
        if self.squash:
            return -self.draw(obs.repeat(len(noise) // len(obs), 1), noise).log_prob.mean()
        return (self.log_std + 0.5 + _LOG_SQRT_2PI).sum()

    def statistics(self, obs: Tensor, raw: Tensor) -> dict[str, Tensor]:
        """``action_std``: mean standard deviation of raw actions."""
        return {"action_std": self.log_std.exp().mean()}

    def _density(self, noise: Tensor, raw: Tensor) -> Tensor:
        log_prob = -(0.5 * noise.square() + self.log_std + _LOG_SQRT_2PI).sum(-1)
        return log_prob - log_tanh_slope(raw) if self.squash else log_prob
