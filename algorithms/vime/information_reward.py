"""VIME's intrinsic reward: how much a transition teaches a model of the dynamics."""

import copy
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from expedition.algorithms.vime.bayesian_network import BayesianNetwork
from expedition.algorithms.vime.transition_pool import TransitionPool, Transitions

_MEDIANS = 10  # iterations that a bonus is measured against
_CHUNK = 2000  # transitions whose gradients are in memory together


@dataclass(frozen=True)
class InformationSettings:
    """Settings of the models and of the bonus; ``VIMEConfig`` says where they come from.

    Attributes:
        hidden_sizes: Widths of a model's hidden layers.
        prior_std: Standard deviation of every weight a priori.
        likelihood_std: Standard deviation of a standardised observation around its prediction.
        num_samples: Sampled networks a loss is averaged over.
        lr: Adam's.
        updates: Gradient steps an iteration.
        batch_size: Transitions a gradient step.
        divergence_coeff: Weight of KL(q ‖ prior) beside the log-likelihood of one minibatch.
        pool_size: Transitions kept.
        min_pool_size: Transitions of every task before the first gradient step.
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
    """A Bayesian model of each task's dynamics, fitted to a pool, and the bonus it gives.

    Args:
        tasks: M; their models share nothing but a random generator.
        obs_dim: Size of an observation.
        action_dim: Size of an action.
        settings: See ``InformationSettings``.
        seed: Of the initial weights, minibatches and samples.
    """

    def __init__(
        self, tasks: int, obs_dim: int, action_dim: int, settings: InformationSettings, seed: int
    ) -> None:
        self.settings = settings
        self._generator = torch.Generator().manual_seed(seed)
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            self.model = BayesianNetwork(
                (obs_dim + action_dim, *settings.hidden_sizes, obs_dim),
                settings.prior_std,
                settings.likelihood_std,
                tasks,
            )
        self._optimizer = torch.optim.Adam(self.model.parameters(), lr=settings.lr, fused=True)
        self.pool = TransitionPool(tasks, settings.pool_size, obs_dim, action_dim)
        self._medians: list[Tensor] = []  # of the last iterations, [M] each

    @property
    def is_ready(self) -> bool:
        """Whether every model has something to learn from."""
        return bool((self.pool.sizes >= self.settings.min_pool_size).all())

    def gain(self, batch: Transitions) -> Tensor:
        """Information gain ``[M, B]`` of transitions, in nats, clipped."""
        standardiser = self.pool.standardiser()
        inputs, targets = standardiser.inputs(batch), standardiser.targets(batch)
        rows = max(1, _CHUNK // len(inputs))
        gains = [
            self.model.information_gain(
                x,
                y,
                step=self.settings.step,
                num_samples=self.settings.num_samples,
                generator=self._generator,
            )
            for x, y in zip(inputs.split(rows, 1), targets.split(rows, 1), strict=True)
        ]
        return torch.cat(gains, 1).clamp(0, self.settings.max_gain)

    def reward(self, batch: Transitions, mask: Tensor) -> Tensor:
        """Gains over the mean of the last ten iterations' medians ``[M, B]``; 0 where masked.

        Call it once an iteration. Before the models have learned anything there is no bonus.

        Args:
            batch: The iteration's transitions.
            mask: Which of them were made ``[M, B]`` bool.
        """
        if not self.is_ready:
            return torch.zeros(mask.shape)
        gains = self.gain(batch)
        medians = [each[made].median() for each, made in zip(gains, mask, strict=True)]
        self._medians = [*self._medians, torch.stack(medians)][-_MEDIANS:]
        scale = torch.stack(self._medians).mean(0)
        return torch.where(mask, gains / scale.clamp_min(1e-30)[:, None], 0.0)

    def update(self, batch: Transitions, mask: Tensor) -> dict[str, float]:
        """Add transitions to the pool and fit the models; means of the losses over the steps."""
        self.pool.add(batch, mask)
        if not self.is_ready:
            return {}
        standardiser = self.pool.standardiser()
        losses = torch.zeros(2)
        for _ in range(self.settings.updates):
            drawn = self.pool.draw(self.settings.batch_size, self._generator)
            losses += self._gradient_step(standardiser.inputs(drawn), standardiser.targets(drawn))
        divergence, loss = (losses / self.settings.updates).tolist()
        return {"model_divergence": divergence, "model_loss": loss}

    def _gradient_step(self, x: Tensor, y: Tensor) -> Tensor:
        """Descend β KL(q ‖ prior) - Σ log-likelihood; the KL and the mean of -log-likelihood."""
        log_likelihood = self.model.log_likelihood(x, y, self.settings.num_samples, self._generator)
        divergence = self.model.divergence()
        loss = self.settings.divergence_coeff * divergence.sum() - log_likelihood.sum()
        self._optimizer.zero_grad()
        loss.backward()
        self._optimizer.step()
        return torch.stack((divergence.detach().mean(), -log_likelihood.detach().mean()))

    def state_dict(self) -> dict[str, Any]:
        """A copy of everything the next bonus depends on."""
        return {
            "model": copy.deepcopy(self.model.state_dict()),
            "optimizer": copy.deepcopy(self._optimizer.state_dict()),
            "pool": self.pool.state_dict(),
            "medians": [each.clone() for each in self._medians],
            "generator": self._generator.get_state(),
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Restore what ``state_dict`` returned."""
        self.model.load_state_dict(state["model"])
        self._optimizer.load_state_dict(state["optimizer"])
        self.pool.load_state_dict(state["pool"])
        self._medians = [torch.as_tensor(each) for each in state["medians"]]
        self._generator.set_state(torch.as_tensor(state["generator"]))
