"""NBP on arrays in plain PyTorch and NumPy, one optimiser a network; used by ``nbp_updates.py``."""

from itertools import pairwise
from typing import Any

import gymnasium as gym
import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

import expedition.envs  # noqa: F401  registers the environment


class Noisy(nn.Module):
    """A linear layer of noisy parameters, by local reparametrisation."""

    def __init__(self, fan_in: int, fan_out: int) -> None:
        super().__init__()
        bound = (3 / fan_in) ** 0.5
        self.mean = nn.Parameter(torch.empty(fan_in, fan_out).uniform_(-bound, bound))
        self.rho = nn.Parameter(torch.full((fan_in, fan_out), -4.0))
        self.bias_mean = nn.Parameter(torch.zeros(fan_out))
        self.bias_rho = nn.Parameter(torch.full((fan_out,), -4.0))

    def forward(self, x: Tensor) -> Tensor:
        """``[B, in] -> [B, out]``."""
        mean = x @ self.mean + self.bias_mean
        variance = x**2 @ functional.softplus(self.rho) ** 2
        variance = variance + functional.softplus(self.bias_rho) ** 2
        return mean + variance.sqrt() * torch.randn_like(mean)


class Policy(nn.Module):
    """Noisy layers with layer normalisation, and dropout before the last."""

    def __init__(self) -> None:
        super().__init__()
        self.layers = nn.ModuleList([Noisy(2, 64), Noisy(64, 64), Noisy(64, 2)])
        self.norms = nn.ModuleList([nn.LayerNorm(64), nn.LayerNorm(64)])

    def forward(self, x: Tensor) -> Tensor:
        """``[B, 2] -> [B, 2]``."""
        for layer, norm in zip(self.layers, self.norms, strict=False):
            x = norm(layer(x)).relu()
        return self.layers[-1](functional.dropout(x, 0.5, training=True)).tanh()


def perceptron() -> nn.Sequential:
    """Of state and action, to one number."""
    layers: list[nn.Module] = []
    for fans in pairwise((4, 64, 64)):
        layers += [nn.Linear(*fans), nn.ReLU()]
    return nn.Sequential(*layers, nn.Linear(64, 1))


class PlainLoop:
    """Environment, replay, networks and optimisers.

    Args:
        env: Its id.
        copies: Of it.
        batch: Transitions an update.
        capacity: Of the replay.
    """

    def __init__(self, env: str, copies: int, batch: int, capacity: int) -> None:
        torch.manual_seed(0)
        self._env: Any = gym.make_vec(env, copies, "vector_entry_point")
        self._obs = self._env.reset(seed=0)[0]
        self._columns = [np.zeros((capacity, width), np.float32) for width in (2, 2, 1, 2, 1)]
        self._rng = np.random.default_rng(0)
        self._copies, self._batch, self._stored = copies, batch, 0
        self.policy, self.policy_target = Policy(), Policy()
        self.q, self.q_target, self.classifier = perceptron(), perceptron(), perceptron()
        self._optimizers = {
            net: torch.optim.Adam(net.parameters(), rate)
            for net, rate in ((self.policy, 3e-4), (self.q, 1e-3), (self.classifier, 1e-3))
        }

    def collect(self) -> None:
        """Step every copy once."""
        obs = torch.from_numpy(self._obs.astype(np.float32) / 5)
        with torch.no_grad():
            actions = self.policy(obs).numpy()
        next_obs, rewards, ends, truncations, infos = self._env.step(actions)
        over = ends | truncations
        final = next_obs.copy()
        if over.any():
            final[over] = np.stack(list(infos["final_obs"][over]))
        rows = slice(self._stored, self._stored + self._copies)
        new = (obs.numpy(), actions, 0.1 * rewards[:, None], final / 5, ends[:, None])
        for column, values in zip(self._columns, new, strict=True):
            column[rows] = values
        self._stored, self._obs = self._stored + self._copies, next_obs

    def update(self) -> None:
        """Step critic, classifier and policy."""
        index = self._rng.integers(self._stored, size=self._batch)
        obs, actions, rewards, next_obs, ends = (torch.from_numpy(c[index]) for c in self._columns)
        with torch.no_grad():
            next_inputs = torch.cat((next_obs, self.policy_target(next_obs)), 1)
            target = rewards + 0.99 * (1 - ends) * self.q_target(next_inputs)
        self._descend(self.q, (self.q(torch.cat((obs, actions), 1)) - target).square().mean())
        with torch.no_grad():
            positive = self.policy(obs)
        uniform = torch.rand(self._batch, 2) * 2 - 1
        yes, no = (self.classifier(torch.cat((obs, a), 1)) for a in (positive, uniform))
        loss = functional.softplus(-yes).mean() + functional.softplus(no).mean()
        self._descend(self.classifier, loss)
        inputs = torch.cat((obs, self.policy(obs)), 1)
        self._descend(self.policy, (self.classifier(inputs) - self.q(inputs)).mean())

    def copy_targets(self) -> None:
        """Make the targets equal."""
        self.policy_target.load_state_dict(self.policy.state_dict())
        self.q_target.load_state_dict(self.q.state_dict())

    def _descend(self, net: nn.Module, loss: Tensor) -> None:
        parameters = list(net.parameters())
        for parameter, gradient in zip(
            parameters, torch.autograd.grad(loss, parameters), strict=True
        ):
            parameter.grad = gradient
        self._optimizers[net].step()
