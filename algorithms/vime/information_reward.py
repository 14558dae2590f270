"""VIME's intrinsic reward: how much a transition teaches a model of the dynamics."""

import copy
from collections import deque
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from expedition.algorithms.vime.bayesian_network import BayesianNetwork
from expedition.algorithms.vime.transition_pool import TransitionPool

_MEDIANS = 10  # iterations that a bonus is measured against
_CHUNK = 1000  # transitions whose gradients are in memory together


@dataclass(frozen=True)
class InformationSettings:
    """Settings of the model and of the bonus; ``VIMEConfig`` says where they come from.

    Attributes:
        hidden_sizes: Widths of the model's hidden layers.
        prior_std: Standard deviation of every weight a priori.
        likelihood_std: Standard deviation of a standardised observation around its prediction.
        num_samples: Sampled networks a loss is averaged over.
        lr: Adam's.
        updates: Gradient steps an iteration.
        batch_size: Transitions a gradient step.
        divergence_coeff: Weight of KL(q ‖ prior) beside the log-likelihood of one minibatch.
        pool_size: Transitions kept.
        min_pool_size: Transitions before the first gradient step.
        step: λ of the information gain.
        max_gain: Where the gain is clipped, nats.
    """

    hidden_sizes: tuple[int, ...] = (32,)
    prior_std: float = 0.5
    likelihood_std: float = 5.0
    num_samples: int = 10
    lr: float = 1e-4
    updates: int = 500
    batch_size: int = 10
    divergence_coeff: float = 0.2
    pool_size: int = 100_000
    min_pool_size: int = 500
    step: float = 0.01
    max_gain: float = 1000.0


class InformationReward:
    """A Bayesian model of the dynamics, fitted to a pool, and the bonus it gives.

    Args:
        obs_dim: Size of an observation.
        action_dim: Size of an action.
        settings: See ``InformationSettings``.
        seed: Of the initial weights, minibatches and samples.
    """

    def __init__(
        self, obs_dim: int, action_dim: int, settings: InformationSettings, seed: int
    ) -> None:
        self.settings = settings
        self._generator = torch.Generator().manual_seed(seed)
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            self.model = BayesianNetwork(
                (obs_dim + action_dim, *settings.hidden_sizes, obs_dim),
                settings.prior_std,
                settings.likelihood_std,
            )
        self._optimizer = torch.optim.Adam(self.model.parameters(), lr=settings.lr, fused=True)
        self.pool = TransitionPool(settings.pool_size, obs_dim, action_dim)
        self._medians: deque[float] = deque(maxlen=_MEDIANS)

    def gain(self, obs: Tensor, actions: Tensor, next_obs: Tensor) -> Tensor:
        """Information gain ``[B]`` of transitions ``[B, ...]``, in nats, clipped."""
        standardiser = self.pool.standardiser()
        inputs, targets = standardiser.inputs(obs, actions), standardiser.targets(next_obs)
        gains = [
            self.model.information_gain(
                x,
                y,
                step=self.settings.step,
                num_samples=self.settings.num_samples,
                generator=self._generator,
            )
            for x, y in zip(inputs.split(_CHUNK), targets.split(_CHUNK), strict=True)
        ]
        return torch.cat(gains).clamp(0, self.settings.max_gain)

    def reward(self, obs: Tensor, actions: Tensor, next_obs: Tensor) -> Tensor:
        """Gains over the mean of the last ten iterations' medians ``[B]``; call once an iteration.

        Before the model has learned anything there is no bonus: zeros.
        """
        if self.pool.size < self.settings.min_pool_size:
            return torch.zeros(len(obs))
        gains = self.gain(obs, actions, next_obs)
        self._medians.append(float(gains.median()))
        scale = sum(self._medians) / len(self._medians)
        return gains / scale if scale > 0 else gains

    def update(self, obs: Tensor, actions: Tensor, next_obs: Tensor) -> dict[str, float]:
        """Add transitions to the pool and fit the model; means of the losses over the steps."""
        self.pool.add(obs, actions, next_obs)
        if self.pool.size < self.settings.min_pool_size:
            return {}
        standardiser = self.pool.standardiser()
        losses = torch.zeros(2)
        for _ in range(self.settings.updates):
            drawn, action, after = self.pool.draw(self.settings.batch_size, self._generator)
            x, y = standardiser.inputs(drawn, action), standardiser.targets(after)
            losses += self._gradient_step(x, y)
        divergence, loss = (losses / self.settings.updates).tolist()
        return {"model_divergence": divergence, "model_loss": loss}

    def _gradient_step(self, x: Tensor, y: Tensor) -> Tensor:
        """Descend β KL(q ‖ prior) - Σ log-likelihood; the KL and the mean of -log-likelihood."""
        log_likelihood = self.model.log_likelihood(
            x, y, self.settings.num_samples, self._generator
        ).sum()
        divergence = self.model.divergence()
        loss = self.settings.divergence_coeff * divergence - log_likelihood
        self._optimizer.zero_grad()
        loss.backward()
        self._optimizer.step()
        return torch.stack((divergence.detach(), -log_likelihood.detach() / len(x)))

    def state_dict(self) -> dict[str, Any]:
        """A copy of everything the next bonus depends on."""
        return {
            "model": copy.deepcopy(self.model.state_dict()),
            "optimizer": copy.deepcopy(self._optimizer.state_dict()),
            "pool": self.pool.state_dict(),
            "medians": list(self._medians),
            "generator": self._generator.get_state(),
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Restore what ``state_dict`` returned."""
        self.model.load_state_dict(state["model"])
        self._optimizer.load_state_dict(state["optimizer"])
        self.pool.load_state_dict(state["pool"])
        self._medians = deque(state["medians"], maxlen=_MEDIANS)
        self._generator.set_state(torch.as_tensor(state["generator"]))
