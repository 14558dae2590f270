"""Disagreement of an ensemble of dynamics models."""

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor

from expedition.algorithms.core.networks import EnsembleMLP
from expedition.algorithms.intrinsic.reward import IntrinsicOutput, IntrinsicReward


class DisagreementReward(IntrinsicReward):
    """Bonus: variance over the models of the predicted next state, mean over its coordinates.

    All models learn from the same batches and differ by their starts.
    Source: Pathak et al. 2019, eq. 1.

    Args:
        obs_dim: Width of the observation.
        action_dim: Width of the action.
        hidden: Widths of each model.
        members: Number of models.
    """

    def __init__(self, obs_dim: int, action_dim: int, hidden: Sequence[int], members: int) -> None:
        super().__init__()
        self.models = EnsembleMLP(members, (obs_dim + action_dim, *hidden, obs_dim))

    def evaluate(
        self, batch: Mapping[str, Tensor], generator: torch.Generator | None = None
    ) -> IntrinsicOutput:
        """Bonus, and the sum over models of their mean squared errors."""
        predicted = self.models(torch.cat((batch["obs"], batch["actions"]), 1))
        reward = predicted.detach().var(0, correction=0).mean(1)
        loss = (predicted - batch["next_obs"]).square().mean((1, 2)).sum()
        return IntrinsicOutput(reward, loss)
