"""VIME's update: TRPO on the reward and the information that transitions bring."""

from collections.abc import Collection
from typing import Any

import numpy as np
import torch
from ray.rllib.utils.typing import StateDict

from expedition.algorithms.core.episodes import EpisodeBatch
from expedition.algorithms.core.linear_baseline import (
    advantages,
    fitted_baseline,
    returns_to_go,
    standardised,
)
from expedition.algorithms.trpo.learner import TRPOLearner
from expedition.algorithms.vime.information_reward import InformationReward
from expedition.algorithms.vime.transition_pool import Transitions

COMPONENT_INFORMATION = "information"


class VIMELearner(TRPOLearner):
    """Source: Houthooft et al. 2016, algorithm 1. The models are on the CPU."""

    def build(self) -> None:
        """Build the policies and the dynamics models."""
        super().build()
        policy = self.own_module.policy
        self.information = InformationReward(
            max(1, self.config.tasks),
            policy.obs_dim,
            policy.action_dim,
            self.config.information_settings,
            seed=self.config.seed or 0,
        )

    def make_update(self, batch: EpisodeBatch) -> dict[str, float]:
        """Reward the batch by the models of before it, step the policies, then fit the models."""
        transitions, mask = _transitions(batch)
        information = self.information.reward(transitions, mask).reshape(batch.mask.shape)
        self._bonus = self.config.intrinsic_coeff * information.double().numpy()
        statistics = super().make_update(batch)
        statistics |= self.information.update(transitions, mask)
        return statistics | {"intrinsic_reward": float(self._bonus[batch.mask].mean())}

    def advantages(self, batch: EpisodeBatch) -> np.ndarray:
        """Advantages of the reward with its bonus, standardised, ``[M, K, T]``."""
        gamma, mask = self.config.gamma, batch.mask
        rewards = batch.rewards + self._bonus
        is_augmented = self.config.baseline_reward == "augmented"
        returns = returns_to_go(rewards if is_augmented else batch.rewards, mask, gamma)
        baseline = fitted_baseline(batch.obs, returns, mask)
        raw = advantages(rewards, baseline, mask, gamma, self.config.gae_lambda)
        return standardised(raw, mask)

    def get_state(
        self,
        components: str | Collection[str] | None = None,
        *,
        not_components: str | Collection[str] | None = None,
        **kwargs: Any,
    ) -> StateDict:
        """The base's state, the models and their pools."""
        state = super().get_state(components, not_components=not_components, **kwargs)
        if self._check_component(COMPONENT_INFORMATION, components, not_components):
            state[COMPONENT_INFORMATION] = self.information.state_dict()
        return state

    def set_state(self, state: StateDict) -> None:
        """Restore what ``get_state`` returned."""
        super().set_state(state)
        if COMPONENT_INFORMATION in state:
            self.information.load_state_dict(state[COMPONENT_INFORMATION])


def _transitions(batch: EpisodeBatch) -> tuple[Transitions, torch.Tensor]:
    """Transitions ``[M, K T, ...]`` of a batch, and which of them were made."""

    def rows(column: np.ndarray) -> torch.Tensor:
        return torch.as_tensor(column).reshape(len(column), -1, *column.shape[3:])

    columns = (batch.obs, batch.actions, batch.next_obs)
    return Transitions(*(rows(column) for column in columns)), rows(batch.mask)
