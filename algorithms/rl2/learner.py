"""RL²'s update: TRPO through time, over whole trials."""

import numpy as np
import torch

from expedition.algorithms.core.gaussian_policy import MIN_LOG_STD, Gaussian
from expedition.algorithms.core.linear_baseline import (
    advantages,
    fitted_baseline,
    returns_to_go,
    standardised,
)
from expedition.algorithms.core.on_policy_learner import OnPolicyLearner, step_statistics
from expedition.algorithms.core.surrogate import Samples, SurrogateObjective
from expedition.algorithms.core.trust_region import assign, trust_region_step
from expedition.algorithms.rl2.curvature import RecurrentFisher
from expedition.algorithms.rl2.policy import RecurrentPolicy
from expedition.algorithms.rl2.trials import Trials

# Nats. Some recurrent policies amplify the rounding of single precision: over trials of 300 steps
# 1e-6 was seen. This is a hundredth of the usual trust region; a wrong trial is far beyond it.
ROUNDING = 1e-4


class RL2Learner(OnPolicyLearner):
    """Source: Duan et al. 2016, sec. 2.2: a trial is one long episode to the outer learner."""

    def make_update(self, batch: Trials) -> dict[str, float]:
        """One trust-region step of the recurrent policy."""
        objective = self.objective(batch)
        step = trust_region_step(objective, objective.start, self.config.trust_region)
        assign(list(self.policy.parameters()), step.parameters)
        action_std = self.policy.log_std.detach().exp().mean().item()
        return step_statistics(step) | {"action_std": action_std}

    @property
    def policy(self) -> RecurrentPolicy:
        """The policy."""
        return self.own_module.policy

    def objective(self, batch: Trials) -> SurrogateObjective:
        """The surrogate of all steps of all trials; every step weighs the same."""
        inputs, mask = self._tensor(batch.inputs), self._tensor(batch.mask)
        weights = mask / mask.sum()
        log_std = self.policy.log_std.detach().clamp_min(MIN_LOG_STD)
        samples = Samples(
            actions=self._tensor(batch.actions),
            advantages=self._tensor(self.advantages(batch)),
            old=Gaussian(self._tensor(batch.means), log_std),
            loss_weights=weights,
            kl_weights=weights,
        )
        kept = max(1, round(self.config.curvature_trials * mask.shape[1]))
        some = mask[:, :kept]
        return SurrogateObjective(
            dict(self.policy.named_parameters()),
            lambda own: self.policy.distribution(own, inputs),
            samples,
            product=RecurrentFisher(self.policy, inputs[:, :kept], some / some.sum()),
            rounding=ROUNDING,
        )

    def advantages(self, batch: Trials) -> np.ndarray:
        """Advantages ``[T, n]``, standardised over all steps.

        Rewards are discounted through the trial, across its episodes. One linear baseline serves
        all trials; its time is that since the trial's start.
        """
        obs, rewards, mask = (
            np.moveaxis(column, 0, 1)[None] for column in (batch.obs, batch.rewards, batch.mask)
        )
        rewards = rewards.astype(np.float64)
        gamma = self.config.gamma
        returns = returns_to_go(rewards, mask, gamma)
        baseline = fitted_baseline(obs, returns, mask)
        raw = advantages(rewards, baseline, mask, gamma, self.config.gae_lambda)
        return standardised(raw, mask)[0].T

    def _tensor(self, array: np.ndarray) -> torch.Tensor:
        return self.tensor(array, torch.float32)
