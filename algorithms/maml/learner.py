"""MAML's outer loop: improve what adaptation starts from."""

import numpy as np
import torch
from torch import Tensor

from expedition.algorithms.core.episodes import EpisodeBatch
from expedition.algorithms.core.gaussian_policy import Gaussian
from expedition.algorithms.core.linear_baseline import advantages, fitted_baseline, returns_to_go
from expedition.algorithms.core.on_policy_learner import OnPolicyLearner, step_statistics
from expedition.algorithms.core.trust_region import assign, trust_region_step
from expedition.algorithms.maml.inner_loop import adapt
from expedition.algorithms.maml.meta_objective import MetaBatch, meta_objective
from expedition.algorithms.maml.policy import AdaptablePolicy
from expedition.algorithms.maml.task_batch import TaskBatch, steps, task_batch
from expedition.algorithms.maml.worker import MetaEpisodes


class MAMLLearner(OnPolicyLearner):
    """Source: Finn et al. 2017, algorithm 3, line 10."""

    def make_update(self, batch: MetaEpisodes) -> dict[str, float]:
        """One step of the meta-parameters within the trust region of the adapted policies."""
        data = self._meta_batch(batch)
        with torch.no_grad():
            log_std = self.policy.floored_log_std(adapt(self.policy, data.before))
        acted = Gaussian(steps(batch.after.means, self._device), log_std)
        objective = meta_objective(self.policy, data, acted, self._curvature(batch))
        step = trust_region_step(objective, objective.start, self.config.trust_region)
        assign(list(self.policy.parameters()), step.parameters)
        return step_statistics(step) | self._policy_statistics()

    @property
    def policy(self) -> AdaptablePolicy:
        """The meta-parameters."""
        return self.own_module.policy

    def _meta_batch(self, batch: MetaEpisodes) -> MetaBatch:
        return MetaBatch([self._task_batch(e) for e in batch.before], self._task_batch(batch.after))

    def _task_batch(self, episodes: EpisodeBatch) -> TaskBatch:
        gamma, mask = self.config.gamma, episodes.mask
        returns = returns_to_go(episodes.rewards, mask, gamma)
        baseline = fitted_baseline(episodes.obs, returns, mask)
        raw = advantages(episodes.rewards, baseline, mask, gamma, self.config.gae_lambda)
        return task_batch(episodes, raw, self._device)

    def _curvature(self, batch: MetaEpisodes) -> MetaBatch | None:
        """The share of the episodes that the curvature is measured on, if it is not all."""
        episodes = batch.after.mask.shape[1]
        kept = max(2, round(self.config.curvature_episodes * episodes))
        if kept >= episodes:
            return None
        before = [_first(each, kept) for each in batch.before]
        return self._meta_batch(MetaEpisodes(before, _first(batch.after, kept)))

    def _policy_statistics(self) -> dict[str, float]:
        policy = self.policy
        statistics = {"action_std": policy.log_std.detach().exp().mean().item()}
        if policy.steps:
            sizes: list[Tensor] = [value.detach().reshape(-1) for value in policy.steps.values()]
            statistics["step_size"] = torch.cat(sizes).mean().item()
        return statistics


def _first(episodes: EpisodeBatch, count: int) -> EpisodeBatch:
    """The first so many episodes of every task."""
    columns: dict[str, np.ndarray] = vars(episodes)
    return EpisodeBatch(**{name: column[:, :count] for name, column in columns.items()})
