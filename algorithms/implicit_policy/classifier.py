"""A classifier of actions, whose logit is the log density ratio of a policy to the uniform."""

import math
from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn import functional

from expedition.algorithms.core.networks import MLP


class ActionClassifier(MLP):
    """c(s, a): tells actions of one kind from those of another at the same state.

    Args:
        obs_dim: Width of an observation.
        action_dim: Width of an action.
        hidden_sizes: Hidden widths, ReLU.
    """

    def __init__(self, obs_dim: int, action_dim: int, hidden_sizes: Sequence[int]) -> None:
        super().__init__((obs_dim + action_dim, *hidden_sizes, 1))

    def logits(self, obs: Tensor, actions: Tensor, frozen: bool = False) -> Tensor:
        """Logits ``[B]`` of ``obs`` ``[B, obs]`` and ``actions`` ``[B, m]``.

        ``frozen`` treats the parameters as constants: gradients reach the inputs alone.
        """
        return self(torch.cat((obs, actions), 1), frozen).squeeze(-1)


def discrimination_loss(positive: Tensor, negative: Tensor) -> Tensor:
    """Cross-entropy mean softplus(-c(a⁺)) + mean softplus(c(a⁻)), from logits.

    Its minimum is at c = log p⁺(a|s) - log p⁻(a|s). Source: Tang & Agrawal 2018, eq. 7.
    """
    return functional.softplus(-positive).mean() + functional.softplus(negative).mean()


def entropy_estimate(logits: Tensor, action_dim: int) -> Tensor:
    """Entropy in nats of the policy whose own actions have these ``logits`` ``[B]``.

    The negatives are uniform on [-1, 1]^m, of density 2^-m, so that log π(a|s) = c(s, a) - m log 2.
    """
    return action_dim * math.log(2) - logits.mean()
