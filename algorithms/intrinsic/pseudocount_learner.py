"""Soft actor-critic steps on a reward with pseudo-count bonuses."""

from typing import Any

import torch

from expedition.algorithms.core.env_runner import Transitions
from expedition.algorithms.core.replay import Batch
from expedition.algorithms.intrinsic.module import IntrinsicModule
from expedition.algorithms.intrinsic.pseudocount import PseudocountReward
from expedition.algorithms.sac.learner import SACLearner


class PseudocountLearner(SACLearner):
    """SAC on stored rewards that hold the bonus: it is computed once, when a state is new.

    The density model learns online from new states, one step a fragment; its optimiser is
    separate from that of the replayed steps.
    """

    def build(self) -> None:
        """Build module, optimisers and replay."""
        super().build()
        self.bonus: PseudocountReward = self.module["default_policy"].unwrapped().bonus
        self._new_bonus = torch.zeros(())

    def configure_optimizers_for_module(self, module_id: str, config: Any = None) -> None:
        """SAC's optimiser, and Adam for the density model if that learns by gradient."""
        super().configure_optimizers_for_module(module_id, config)
        module: IntrinsicModule = self.module[module_id].unwrapped()
        parameters = list(module.bonus.parameters())
        self.density_optimizer: torch.optim.Adam | None = None
        if parameters:
            optimizer = torch.optim.Adam(parameters, lr=config.density_lr, fused=True)
            self.density_optimizer = optimizer
            self.register_optimizer(
                module_id=module_id,
                optimizer_name="density",
                optimizer=optimizer,
                params=parameters,
            )

    def prepare(self, transitions: Transitions) -> Transitions:
        """Add the bonus to the scaled rewards."""
        obs = torch.as_tensor(transitions["obs"], device=self._device)
        bonus = self.bonus.recode({"obs": obs}, self.density_optimizer)
        self._new_bonus = bonus.mean()
        transitions = super().prepare(transitions)
        transitions["rewards"] = (
            self.config.reward_coeff * transitions["rewards"]
            + self.config.intrinsic_coeff * bonus.cpu().numpy()
        )
        return transitions

    def gradient_step(self, batch: Batch) -> dict[str, torch.Tensor]:
        """One SAC step on ``batch``, whose rewards hold the bonus."""
        return self.sac_step(batch, {}) | {"intrinsic_reward": self._new_bonus}
