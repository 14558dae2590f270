"""Losses and updates of the non-parametric blackbox policy."""

from typing import Any

import torch
from torch import Tensor

from expedition.algorithms.core.learner import OffPolicyLearner
from expedition.algorithms.core.replay import Batch
from expedition.algorithms.implicit_policy.classifier import discrimination_loss, entropy_estimate
from expedition.algorithms.implicit_policy.nbp_module import NBPModule
from expedition.algorithms.implicit_policy.target_networks import TargetNetworks, bootstrapped


class NBPLearner(OffPolicyLearner):
    """Steps critic and classifier, then with these the policy. Source: algorithm 1.

    Critic and classifier do not enter each other's loss, so one backward pass and one fused
    optimiser make both steps of the algorithm box.
    """

    def build(self) -> None:
        """Build module, optimisers and replay."""
        super().build()
        self.nbp: NBPModule = self.module["default_policy"].unwrapped()
        nbp = self.nbp
        self._targets = TargetNetworks((nbp.policy, nbp.q), (nbp.policy_target, nbp.q_target))

    def configure_optimizers_for_module(self, module_id: str, config: Any = None) -> None:
        """One fused Adam for critic and classifier, one for the policy."""
        module: NBPModule = self.module[module_id].unwrapped()
        judges = [
            {"params": list(module.q.parameters()), "lr": config.q_lr},
            {"params": list(module.classifier.parameters()), "lr": config.classifier_lr},
        ]
        self.judge_optimizer = torch.optim.Adam(judges, fused=True)
        policy = list(module.policy.parameters())
        self.policy_optimizer = torch.optim.Adam(policy, config.policy_lr, fused=True)
        for name, optimizer, parameters in (
            ("judges", self.judge_optimizer, [p for group in judges for p in group["params"]]),
            ("policy", self.policy_optimizer, policy),
        ):
            self.register_optimizer(
                module_id=module_id,
                optimizer_name=name,
                optimizer=optimizer,
                params=parameters,
            )

    def gradient_step(self, batch: Batch) -> dict[str, Tensor]:
        """Step critic, classifier and policy on ``batch``; returns losses and diagnostics."""
        obs, next_obs = self.nbp.scaled(batch["obs"]), self.nbp.scaled(batch["next_obs"])
        losses = {"q_loss": self.q_loss(obs, batch["actions"], self.q_target(batch, next_obs))}
        # Without an entropy bonus nothing depends on the classifier.
        steps = self.config.classifier_steps if self.config.entropy_coeff else 0
        if steps:
            losses["classifier_loss"] = self.classifier_loss(obs, batch["actions"])
        self._descend(self.judge_optimizer, torch.stack(list(losses.values())).sum())
        for _step in range(steps - 1):
            loss = self.classifier_loss(obs, batch["actions"])
            self._descend(self.judge_optimizer, loss)
        policy_loss, diagnostics = self.policy_loss(obs)
        self._descend(self.policy_optimizer, policy_loss)
        return (
            losses
            | {"policy_loss": policy_loss, "reward_mean": batch["rewards"].mean()}
            | diagnostics
        )

    @torch.no_grad()
    def q_target(self, batch: Batch, next_obs: Tensor) -> Tensor:
        """Target r + γ (1 - d) Q̄(s', f̄(s', ε')), ``[B]``. Source: algorithm 1."""
        actions = self.nbp.policy_target(next_obs, self.noise)
        values = self.nbp.q_target(torch.cat((next_obs, actions), 1)).squeeze(-1)
        return bootstrapped(batch, values, self.config.gamma)

    def q_loss(self, obs: Tensor, actions: Tensor, target: Tensor) -> Tensor:
        """Mean (Q(s, a) - target)²."""
        q = self.nbp.q(torch.cat((obs, actions), 1)).squeeze(-1)
        return (q - target).square().mean()

    def classifier_loss(self, obs: Tensor, replayed: Tensor) -> Tensor:
        """Cross-entropy of the policy's actions against uniform ones at ``obs``.

        The positives are fresh draws (eq. 7) or ``replayed`` actions (line 14 of algorithm 1).
        """
        positive = replayed
        if self.config.positives == "fresh":
            with torch.no_grad():
                positive = self.nbp.policy(obs, self.noise)
        uniform = torch.rand(positive.shape, generator=self.noise, device=self._device) * 2 - 1
        logits = self.nbp.classifier.logits
        both = logits(torch.cat((obs, obs)), torch.cat((positive, uniform)))
        return discrimination_loss(both[: len(obs)], both[len(obs) :])

    def policy_loss(self, obs: Tensor) -> tuple[Tensor, dict[str, Tensor]]:
        """Mean -Q(s, f(s, ε)) + β c(s, f(s, ε)), and diagnostics. Source: eq. 6 and 8."""
        actions = self.nbp.policy(obs, self.noise)
        q = self.nbp.q(torch.cat((obs, actions), 1), frozen=True).mean()
        beta = self.config.entropy_coeff
        if not beta:
            return -q, {"q_mean": q}
        logits = self.nbp.classifier.logits(obs, actions, frozen=True)
        if self.config.logit_bound is not None:
            logits = logits.clamp(-self.config.logit_bound, self.config.logit_bound)
        entropy = entropy_estimate(logits, self.nbp.action_dim)
        return beta * logits.mean() - q, {"q_mean": q, "entropy": entropy}

    def after_gradient_step(self) -> None:
        """Copy both networks to their targets when it is time."""
        if self.updates % self.config.target_every == 0:
            self._targets.copy()

    def _descend(self, optimizer: torch.optim.Optimizer, loss: Tensor) -> None:
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        optimizer.step()
