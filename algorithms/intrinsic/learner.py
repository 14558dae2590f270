"""Soft actor-critic steps on a reward with a bonus."""

from typing import Any

import torch
from torch import Tensor

from expedition.algorithms.core.env_runner import Transitions
from expedition.algorithms.core.replay import Batch
from expedition.algorithms.intrinsic.module import IntrinsicModule
from expedition.algorithms.intrinsic.reward import IntrinsicReward
from expedition.algorithms.sac.learner import SACLearner


class IntrinsicLearner(SACLearner):
    """A SAC step on reward and bonus, and a step of the bonus's model, on one batch.

    The bonus is computed when a transition is replayed, with the newest model; only the
    environment's reward is stored.
    """

    def build(self) -> None:
        """Build module, optimiser and replay."""
        super().build()
        self.bonus: IntrinsicReward = self.module["default_policy"].unwrapped().bonus

    def optimizer_groups(self, module: IntrinsicModule, config: Any) -> list[dict[str, Any]]:
        """SAC's groups and the bonus's."""
        groups = super().optimizer_groups(module, config)
        learned = [p for p in module.bonus.parameters() if p.requires_grad]
        if learned:
            groups.append({"params": learned, "lr": config.intrinsic_lr})
        return groups

    def prepare(self, transitions: Transitions) -> Transitions:
        """Show new transitions to the bonus's model; then as the core does."""
        self.bonus.observe(self.tensors(transitions))
        return super().prepare(transitions)

    def gradient_step(self, batch: Batch) -> dict[str, Tensor]:
        """One step of everything on ``batch``; returns losses and diagnostics."""
        bonus = self.bonus.evaluate(batch, self.noise)
        losses = {} if bonus.loss is None else {"intrinsic_loss": bonus.loss}
        reward = self.reward(batch["rewards"], bonus.reward)
        scalars = self.sac_step(batch | {"rewards": reward}, losses)
        return scalars | {
            "intrinsic_reward": bonus.reward.mean(),
            "target_reward": batch["rewards"].mean(),
        }

    def reward(self, target: Tensor, bonus: Tensor) -> Tensor:
        """reward_coeff * r + intrinsic_coeff * bonus, ``[B]``."""
        return self.config.reward_coeff * target + self.config.intrinsic_coeff * bonus

    def tensors(self, transitions: Transitions) -> Batch:
        """Columns of new transitions on the learner's device."""
        return {
            name: torch.as_tensor(column, device=self._device)
            for name, column in transitions.items()
        }
