"""Maximum likelihood."""

from typing import Any

import torch
from torch import Tensor

from expedition.algorithms.implicit_policy.imitation.learner import ImitationLearner


class CloneLearner(ImitationLearner):
    """Descends -mean log π(a*|s) over the expert's pairs. Source: Tang & Agrawal 2018, sec. 5.4."""

    def configure_optimizers_for_module(self, module_id: str, config: Any = None) -> None:
        """One fused Adam."""
        self._parameters = list(self.module[module_id].unwrapped().policy.parameters())
        self.optimizer = torch.optim.Adam(self._parameters, config.lr, fused=True)
        self.register_optimizer(
            module_id=module_id, optimizer=self.optimizer, params=self._parameters
        )

    def gradient_step(self, features: Tensor, actions: Tensor) -> dict[str, Tensor]:
        """Raise the density of the expert's actions; see ``ImitationLearner.gradient_step``."""
        loss = -self.own_module.policy.log_prob(features, actions).mean()
        self.optimizer.zero_grad(set_to_none=True)
        loss.backward()
        if self.config.grad_norm is not None:
            torch.nn.utils.clip_grad_norm_(self._parameters, self.config.grad_norm)
        self.optimizer.step()
        return {"negative_log_likelihood": loss}
