"""Imitation by a discriminator of pairs (state, action)."""

from typing import Any

import torch
from torch import Tensor
from torch.nn import functional

from expedition.algorithms.implicit_policy.imitation.learner import ImitationLearner


class GANImitationLearner(ImitationLearner):
    """A step of the discriminator, a step of the policy against it, a step of the running mean.

    The losses are those of Goodfellow et al. 2014 (arXiv:1406.2661), the policy's being the one
    that does not saturate; a label below 1 is the one-sided smoothing of Salimans et al. 2016
    (arXiv:1606.03498, sec. 3.4). States are always the expert's.
    """

    def configure_optimizers_for_module(self, module_id: str, config: Any = None) -> None:
        """A fused Adam for each of the two networks."""
        module = self.module[module_id].unwrapped()
        self.policy_optimizer, self.discriminator_optimizer = (
            torch.optim.Adam(net.parameters(), lr, betas=(config.adam_beta1, 0.999), fused=True)
            for net, lr in (
                (module.learning_policy, config.policy_lr),
                (module.discriminator, config.discriminator_lr),
            )
        )
        for name, optimizer in (
            ("policy", self.policy_optimizer),
            ("discriminator", self.discriminator_optimizer),
        ):
            self.register_optimizer(
                module_id=module_id,
                optimizer_name=name,
                optimizer=optimizer,
                params=list(optimizer.param_groups[0]["params"]),
            )

    def gradient_step(self, features: Tensor, actions: Tensor) -> dict[str, Tensor]:
        """Step both networks and the mean; see ``ImitationLearner.gradient_step``."""
        discriminator_loss = self.discriminator_loss(features, actions)
        self._descend(self.discriminator_optimizer, discriminator_loss)
        policy_loss = self.policy_loss(features)
        self._descend(self.policy_optimizer, policy_loss)
        self._average()
        return {"discriminator_loss": discriminator_loss, "policy_loss": policy_loss}

    def discriminator_loss(self, features: Tensor, actions: Tensor) -> Tensor:
        """Cross-entropy with the labels ``expert_label`` of the expert and 0 of the policy.

        With its optimum d = log(l p* / ((1 - l) p* + p)), a label l below 1 bounds it.
        """
        module = self.own_module
        with torch.no_grad():
            drawn = self._blurred(module.learning_policy(features, self.noise))
        of_expert = module.discriminator.logits(features, self._blurred(actions))
        of_policy = module.discriminator.logits(features, drawn)
        label = self.config.expert_label
        expert_loss = label * functional.softplus(-of_expert) + (1 - label) * functional.softplus(
            of_expert
        )
        return expert_loss.mean() + functional.softplus(of_policy).mean()

    def policy_loss(self, features: Tensor) -> Tensor:
        """-mean log D(s, f(s, ε)); the discriminator is a constant."""
        module = self.own_module
        drawn = self._blurred(module.learning_policy(features, self.noise))
        return functional.softplus(
            -module.discriminator.logits(features, drawn, frozen=True)
        ).mean()

    @property
    def action_noise(self) -> float:
        """Standard deviation of the noise on the actions that the discriminator sees."""
        left = 1.0 - self.updates / self.config.action_noise_updates
        return self.config.action_noise * max(0.0, left)

    def _blurred(self, actions: Tensor) -> Tensor:
        if not self.action_noise:
            return actions
        noise = torch.randn(actions.shape, generator=self.noise, device=self._device)
        return actions + self.action_noise * noise

    @torch.no_grad()
    def _average(self) -> None:
        module = self.own_module
        torch._foreach_lerp_(
            list(module.policy.parameters()),
            list(module.learning_policy.parameters()),
            self.config.averaging_rate,
        )

    @staticmethod
    def _descend(optimizer: torch.optim.Optimizer, loss: Tensor) -> None:
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        optimizer.step()
