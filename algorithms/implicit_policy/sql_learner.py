"""Losses and updates of soft Q-learning."""

import math
from typing import Any

import torch
from torch import Tensor

from expedition.algorithms.core.learner import OffPolicyLearner
from expedition.algorithms.core.replay import Batch
from expedition.algorithms.implicit_policy import svgd
from expedition.algorithms.implicit_policy.sql_module import SQLModule
from expedition.algorithms.implicit_policy.target_networks import TargetNetworks, bootstrapped

_INSIDE = 1e-6  # keeps log(1 - a²) finite at the bounds, as the released code does


class SQLLearner(OffPolicyLearner):
    """Steps Q-network and sampler together, both at the parameters from before the step."""

    def build(self) -> None:
        """Build module, optimiser and replay."""
        super().build()
        self.sql: SQLModule = self.module["default_policy"].unwrapped()
        self._targets = TargetNetworks((self.sql.q,), (self.sql.q_target,))

    def configure_optimizers_for_module(self, module_id: str, config: Any = None) -> None:
        """One fused Adam with a learning rate for each network."""
        module: SQLModule = self.module[module_id].unwrapped()
        groups = [
            {"params": list(module.sampler.parameters()), "lr": config.policy_lr},
            {"params": list(module.q.parameters()), "lr": config.q_lr},
        ]
        self.optimizer = torch.optim.Adam(groups, fused=True)
        parameters = [parameter for group in groups for parameter in group["params"]]
        self.register_optimizer(module_id=module_id, optimizer=self.optimizer, params=parameters)

    def gradient_step(self, batch: Batch) -> dict[str, Tensor]:
        """Step both networks on ``batch``; returns losses and diagnostics."""
        q_loss = self.q_loss(batch["obs"], batch["actions"], self.q_target(batch))
        sampler_loss, diagnostics = self.sampler_loss(batch["obs"])
        self.optimizer.zero_grad(set_to_none=True)
        torch.stack((q_loss, sampler_loss)).sum().backward()
        self.optimizer.step()
        return {"q_loss": q_loss, "reward_mean": batch["rewards"].mean()} | diagnostics

    @torch.no_grad()
    def q_target(self, batch: Batch) -> Tensor:
        """Target r + γ (1 - d) V̄(s'), ``[B]``. Source: Haarnoja et al. 2017, eq. 11."""
        count = self.config.value_actions
        shape = (count, self.sql.action_dim)
        actions = torch.rand(shape, generator=self.noise, device=self._device) * 2 - 1
        return bootstrapped(batch, self.value(batch["next_obs"], actions), self.config.gamma)

    def value(self, obs: Tensor, actions: Tensor) -> Tensor:
        """V̄(s) = log mean_j exp Q̄(s, a_j) + m log 2, ``[B]``, the integral of exp Q̄ over actions.

        Source: eq. 10 with a uniform proposal; all states share the same actions, as in the
        released code.

        Args:
            obs: ``[B, obs]``.
            actions: ``[J, m]``, uniform in (-1, 1).
        """
        rows, count = len(obs), len(actions)
        pairs = torch.cat((obs.repeat_interleave(count, 0), actions.repeat(rows, 1)), 1)
        q = self.sql.q_target(pairs).view(rows, count)
        return q.logsumexp(1) - math.log(count) + self.sql.action_dim * math.log(2)

    def q_loss(self, obs: Tensor, actions: Tensor, target: Tensor) -> Tensor:
        """Mean (Q(s, a) - target)² / 2. Source: eq. 11."""
        q = self.sql.q(torch.cat((obs, actions), 1)).squeeze(-1)
        return 0.5 * (q - target).square().mean()

    def sampler_loss(self, obs: Tensor) -> tuple[Tensor, dict[str, Tensor]]:
        """A loss that pushes the sampler's actions along the Stein direction, and diagnostics.

        Of the particles at a state one half is fixed and the other half is moved. Source: eq. 14.
        """
        count, m = self.config.particles, self.sql.action_dim
        rows = len(obs)
        states = obs.repeat_interleave(count, 0)
        actions = self.sql.actions(states, self.normal(rows * count, m)).view(rows, count, m)
        fixed, moved = actions.detach()[:, : count // 2], actions[:, count // 2 :]
        slopes, q_mean = self.log_density_slopes(obs, fixed)
        push = svgd.direction(fixed, slopes, moved.detach())
        diagnostics = {
            "q_mean": q_mean,
            "action_std": actions.detach().std(1).mean(),
            "push": push.square().mean().sqrt(),
        }
        return -(push * moved).sum((1, 2)).mean(), diagnostics

    def log_density_slopes(self, obs: Tensor, actions: Tensor) -> tuple[Tensor, Tensor]:
        """Gradient in a of Q(s, a) + Σ log(1 - a²) ``[B, J, m]``, and mean Q.

        The second term, the log slope of the tanh, is the released code's: it draws actions inward.
        """
        rows, count, m = actions.shape
        proposed = actions.detach().requires_grad_()
        states = obs.repeat_interleave(count, 0)
        q = self.sql.q(torch.cat((states, proposed.reshape(rows * count, m)), 1), frozen=True)
        inside = (1 - proposed.square() + _INSIDE).log().sum()
        (slopes,) = torch.autograd.grad(q.sum() + inside, proposed)
        return slopes, q.detach().mean()

    def after_gradient_step(self) -> None:
        """Copy the Q-network to its target when it is time."""
        if self.updates % self.config.target_every == 0:
            self._targets.copy()
