"""Updates of trust-region policy optimisation and of REINFORCE, for all tasks at once."""

from typing import Any

import numpy as np
import torch
from torch import Tensor

from expedition.algorithms.core.episodes import EpisodeBatch
from expedition.algorithms.core.gaussian_policy import Gaussian, Parameters
from expedition.algorithms.core.linear_baseline import (
    advantages,
    fitted_baseline,
    returns_to_go,
    standardised,
)
from expedition.algorithms.core.on_policy_learner import OnPolicyLearner, step_statistics
from expedition.algorithms.core.surrogate import Samples, SurrogateObjective
from expedition.algorithms.core.trust_region import assign, trust_region_step


class PolicyGradientLearner(OnPolicyLearner):
    """What both methods make of a batch before they update."""

    def advantages(self, batch: EpisodeBatch) -> np.ndarray:
        """Advantages over the task's own linear baseline, standardised, ``[M, K, T]``."""
        gamma = self.config.gamma
        returns = returns_to_go(batch.rewards, batch.mask, gamma)
        baseline = fitted_baseline(batch.obs, returns, batch.mask)
        raw = advantages(batch.rewards, baseline, batch.mask, gamma, self.config.gae_lambda)
        return standardised(raw, batch.mask)

    def samples(self, batch: EpisodeBatch) -> tuple[Tensor, Samples]:
        """Observations ``[M, N, obs]`` and samples ``[M, N]``: a task's steps, one after the other.

        N is the largest number of steps of a task; all steps of a task weigh the same, padding
        nothing.
        """
        rows = StepRows(batch.mask)
        mask = self.tensor(rows.mask)
        weights = mask / mask.sum(1, keepdim=True)
        log_std = self.own_module.policy.floored_log_std(self._parameters()).detach()
        samples = Samples(
            actions=self.tensor(rows(batch.actions)),
            advantages=self.tensor(rows(self.advantages(batch))),
            old=Gaussian(self.tensor(rows(batch.means)), log_std),
            loss_weights=weights,
            kl_weights=weights,
        )
        return self.tensor(rows(batch.obs)), samples

    def _parameters(self) -> dict[str, Tensor]:
        """The policy's parameters in float64, differentiably."""
        return {name: p.double() for name, p in self.own_module.policy.named_parameters()}

    def _distribution(self, parameters: Parameters, obs: Tensor) -> Gaussian:
        policy = self.own_module.policy
        return Gaussian(policy.mean(parameters, obs), policy.floored_log_std(parameters))

    def _action_std(self) -> float:
        log_std = self.own_module.policy.floored_log_std(self._parameters())
        return log_std.detach().exp().mean().item()


class TRPOLearner(PolicyGradientLearner):
    """One trust-region step a task. Source: Schulman et al. 2015, sec. 6."""

    def make_update(self, batch: EpisodeBatch) -> dict[str, float]:
        """Step every task's policy within its own trust region."""
        obs, samples = self.samples(batch)
        objective = SurrogateObjective(
            self._parameters(), lambda own: self._distribution(own, obs), samples, batch_dims=1
        )
        step = trust_region_step(objective, objective.start, self.config.trust_region)
        assign(list(self.own_module.policy.parameters()), step.parameters, batch_dims=1)
        return step_statistics(step) | {"action_std": self._action_std()}


class ReinforceLearner(PolicyGradientLearner):
    """One gradient step a task. Source: Williams 1992, eq. 11."""

    def configure_optimizers_for_module(self, module_id: str, config: Any = None) -> None:
        """Plain gradient steps or Adam; both act on each number alone, so that tasks stay apart."""
        parameters = list(self.module[module_id].unwrapped().policy.parameters())
        kind = torch.optim.SGD if config.optimizer == "sgd" else torch.optim.Adam
        self.optimizer = kind(parameters, lr=config.policy_lr)
        self.register_optimizer(module_id=module_id, optimizer=self.optimizer, params=parameters)

    def make_update(self, batch: EpisodeBatch) -> dict[str, float]:
        """Descend -mean(A log π) of every task by one step."""
        obs, samples = self.samples(batch)
        log_prob = self._distribution(self._parameters(), obs).log_prob(samples.actions)
        losses = -(samples.loss_weights * samples.advantages * log_prob).sum(1)
        self.optimizer.zero_grad(set_to_none=True)
        losses.sum().backward()
        self.optimizer.step()
        with torch.no_grad():
            new = self._distribution(self._parameters(), obs)
            kl = (samples.kl_weights * samples.old.kl_to(new)).sum(1)
        return {
            "policy_loss": losses.mean().item(),
            "kl": kl.mean().item(),
            "action_std": self._action_std(),
        }


class StepRows:
    """Puts the steps of each task ``[M, K, T, ...]`` one after the other, ``[M, N, ...]``."""

    def __init__(self, mask: np.ndarray) -> None:
        flat = mask.reshape(len(mask), -1)
        steps = int(flat.sum(1).max())
        self._index = None
        if steps < flat.shape[1]:
            self._index = np.argsort(~flat, axis=1, kind="stable")[:, :steps]
        self.mask = self(mask)

    def __call__(self, array: np.ndarray) -> np.ndarray:
        """Lay out ``[M, K, T, ...]`` as ``[M, N, ...]``, N the largest number of steps."""
        flat = array.reshape(len(array), -1, *array.shape[3:])
        if self._index is None:
            return flat
        return np.take_along_axis(
            flat, self._index.reshape(*self._index.shape, *[1] * (flat.ndim - 2)), 1
        )
