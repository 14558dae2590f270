"""What an intrinsic reward is."""

from collections.abc import Mapping
from typing import NamedTuple

import torch
from torch import Tensor, nn


class IntrinsicOutput(NamedTuple):
    """``reward``: ``[B]``, detached; ``loss``: scalar to descend, or ``None``."""

    reward: Tensor
    loss: Tensor | None


class IntrinsicReward(nn.Module):
    """A bonus for transitions, with whatever model it is computed from.

    A batch holds ``obs`` and ``next_obs`` ``[B, obs]``, ``actions`` ``[B, action]`` in (-1, 1) and,
    where the module draws one, ``context`` ``[B, context]``. The state of the model is the
    module's ``state_dict``. A learner calls ``observe`` once on every new transition and
    ``evaluate`` on replayed ones; it descends the loss together with its own.
    """

    def observe(self, batch: Mapping[str, Tensor]) -> None:
        """Take in newly collected transitions, once each."""

    def evaluate(
        self, batch: Mapping[str, Tensor], generator: torch.Generator | None = None
    ) -> IntrinsicOutput:
        """Bonus before the model learns from ``batch``, and the loss to learn from it.

        Args:
            batch: Transitions; see the class.
            generator: Source of noise, for models that draw any.
        """
        raise NotImplementedError

    def reward(self, batch: Mapping[str, Tensor]) -> Tensor:
        """The bonus alone, ``[B]``."""
        with torch.no_grad():
            return self.evaluate(batch).reward

    def update(
        self,
        batch: Mapping[str, Tensor],
        optimizer: torch.optim.Optimizer,
        generator: torch.Generator | None = None,
    ) -> Tensor:
        """Make one step of the model, for use outside a learner; returns the bonus ``[B]``."""
        output = self.evaluate(batch, generator)
        if output.loss is not None:
            optimizer.zero_grad(set_to_none=True)
            output.loss.backward()
            optimizer.step()
        return output.reward
