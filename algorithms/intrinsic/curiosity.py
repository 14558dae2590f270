"""The intrinsic curiosity module."""

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor
from torch.nn import functional

from expedition.algorithms.core.networks import MLP
from expedition.algorithms.intrinsic.reward import IntrinsicOutput, IntrinsicReward


class ICMReward(IntrinsicReward):
    """Bonus |φ(s') - f(φ(s), a)|, the error of predicting features of the next state.

    The features φ are those that an inverse model needs to tell the action from φ(s) and φ(s');
    the forward model f trains them too, as in the released code of Lee et al. Loss: mean squared
    error of the forward model plus that of the inverse model.
    Source: Pathak et al. 2017, eq. 2 to 7; norm, not its square, in Lee et al.'s released code.

    Args:
        obs_dim: Width of the observation.
        action_dim: Width of the action.
        hidden: Widths of φ and f.
        feature_dim: Width of φ's output.
    """

    def __init__(
        self, obs_dim: int, action_dim: int, hidden: Sequence[int], feature_dim: int
    ) -> None:
        super().__init__()
        self.features = MLP((obs_dim, *hidden, feature_dim))
        self.forward_model = MLP((feature_dim + action_dim, *hidden, feature_dim))
        self.inverse_model = MLP((2 * feature_dim, action_dim))

    def evaluate(
        self, batch: Mapping[str, Tensor], generator: torch.Generator | None = None
    ) -> IntrinsicOutput:
        """Bonus and loss from one pass; φ of both states is one batch."""
        count = len(batch["obs"])
        both = self.features(torch.cat((batch["obs"], batch["next_obs"])))
        now, later = both[:count], both[count:]
        predicted = self.forward_model(torch.cat((now, batch["actions"]), 1))
        action = self.inverse_model(torch.cat((now, later), 1))
        squared_error = (later - predicted).square()
        reward = squared_error.detach().sum(1).sqrt()
        loss = squared_error.mean() + functional.mse_loss(action, batch["actions"])
        return IntrinsicOutput(reward, loss)
