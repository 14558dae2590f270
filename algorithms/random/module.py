"""A module that acts uniformly at random, and a learner with nothing to learn."""

from typing import Any

import torch
from torch import Tensor

from expedition.algorithms.core.learner import OffPolicyLearner
from expedition.algorithms.core.module import OffPolicyModule


class RandomModule(OffPolicyModule):
    """Uniform actions in (-1, 1)."""

    def get_non_inference_attributes(self) -> list[str]:
        """Nothing is for training only."""
        return []

    def act(
        self, obs: Tensor, context: Tensor, generator: torch.Generator | None, explore: bool
    ) -> Tensor:
        """Uniform actions ``[n, action]``, whether exploring or not."""
        return 2 * torch.rand(len(obs), self.action_dim, generator=generator) - 1


class NoLearner(OffPolicyLearner):
    """Keeps the last transition and makes no updates."""

    def configure_optimizers_for_module(self, module_id: str, config: Any = None) -> None:
        """There are no parameters."""
