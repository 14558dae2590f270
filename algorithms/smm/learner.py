"""Losses and reward of state marginal matching."""

import math
from typing import Any

import torch
from torch import Tensor

from expedition.algorithms.core.env_runner import Transitions
from expedition.algorithms.core.replay import Batch
from expedition.algorithms.sac.learner import SACLearner
from expedition.algorithms.smm.module import SMMModule


class SMMLearner(SACLearner):
    """A SAC step on the SMM reward, and a step of density model and discriminator, on one batch.

    The replay is uniform over all of training, so that q and d answer the historical average of
    the policies, as fictitious play asks. Rewards are computed when replayed, with the newest q
    and d; only the environment's reward is stored.
    """

    def build(self) -> None:
        """Build module, optimiser and replay."""
        super().build()
        self.smm: SMMModule = self.module["default_policy"].unwrapped()
        self._log_skills = math.log(self.config.num_skills)
        self._sign = 1.0 if self.config.discriminator_sign == "paper" else -1.0

    def optimizer_groups(self, module: SMMModule, config: Any) -> list[dict[str, Any]]:
        """SAC's groups, the density model's and the discriminator's."""
        groups = super().optimizer_groups(module, config)
        rates = {"density": config.density_lr, "discriminator": config.discriminator_lr}
        for name, rate in rates.items():
            part = getattr(module, name, None)
            learned = [] if part is None else [p for p in part.parameters() if p.requires_grad]
            if learned:
                groups.append({"params": learned, "lr": rate})
        return groups

    def prepare(self, transitions: Transitions) -> Transitions:
        """Show newly visited states to the density model; then as the core does."""
        obs = torch.as_tensor(transitions["obs"], device=self._device)
        skills = torch.as_tensor(transitions["context"]) if "context" in transitions else None
        self.smm.density.observe(self.smm.whiten(obs), self._skills(skills, obs))
        return super().prepare(transitions)

    def gradient_step(self, batch: Batch) -> dict[str, Tensor]:
        """One step of everything on ``batch``; returns losses and diagnostics."""
        states = self.smm.whiten(batch["obs"])
        skills = self._skills(batch.get("context"), states)
        density = self.smm.density.evaluate(states, skills, self.noise)
        log_d, losses = self.discriminate(states, skills)
        if density.loss is not None:
            losses["density_loss"] = density.loss
        reward = self.reward(batch["rewards"], density.log_prob, log_d)
        scalars = self.sac_step(batch | {"rewards": reward}, losses)
        return scalars | {
            "state_entropy": -density.log_prob.mean(),
            "skill_entropy": -log_d.mean(),
            "target_reward": batch["rewards"].mean(),
        }

    def discriminate(self, states: Tensor, skills: Tensor) -> tuple[Tensor, dict[str, Tensor]]:
        """Log d(z|s) ``[B]``, detached, and the discriminator's loss, if it learns here."""
        if self.smm.num_skills == 1:
            return states.new_zeros(len(states)), {}
        log_d = (self.smm.log_discriminator(states) * skills).sum(1)
        return log_d.detach(), {"discriminator_loss": -log_d.mean()}

    def reward(self, target: Tensor, log_q: Tensor, log_d: Tensor) -> Tensor:
        """r_z(s) = log p*(s) - log q_z(s) + log d(z|s) - log p(z), weighted, ``[B]``.

        Source: eq. 8 and algorithm 2; p(z) = 1/n. ``discriminator_sign="released"`` turns the
        sign of log d, as the released code does.

        Args:
            target: The environment's reward, log p* up to a constant.
            log_q: log q_z(s).
            log_d: log d(z|s).
        """
        return (
            self.config.reward_coeff * target
            - self.config.state_entropy_coeff * log_q
            + self._sign * self.config.skill_entropy_coeff * log_d
            + self.config.prior_coeff * self._log_skills
        )

    def _skills(self, context: Tensor | None, like: Tensor) -> Tensor:
        if context is None:
            return like.new_zeros(len(like), 0)
        return context.to(like)
