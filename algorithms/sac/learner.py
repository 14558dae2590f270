"""Losses and updates of soft actor-critic."""

from typing import Any

import torch
from torch import Tensor

from expedition.algorithms.core import squashed_gaussian
from expedition.algorithms.core.learner import OffPolicyLearner
from expedition.algorithms.core.replay import Batch
from expedition.algorithms.core.squashed_gaussian import SquashedSample
from expedition.algorithms.sac.module import SACModule


class SACLearner(OffPolicyLearner):
    """One gradient step of every network on one batch.

    All losses are taken at the parameters from before the step and stepped together, as in the
    algorithm boxes of both papers; one backward pass and one fused optimiser serve them all.
    """

    def build(self) -> None:
        """Build module, optimiser and replay."""
        super().build()
        self.sac: SACModule = self.module["default_policy"].unwrapped()
        self._online, self._target = self._target_pairs()
        entropy = self.config.target_entropy
        self._target_entropy = -self.sac.action_dim if entropy == "auto" else float(entropy)

    def configure_optimizers_for_module(self, module_id: str, config: Any = None) -> None:
        """One fused Adam with a learning rate for each kind of network."""
        groups = self.optimizer_groups(self.module[module_id].unwrapped(), config)
        self.optimizer = torch.optim.Adam(groups, fused=True)
        parameters = [parameter for group in groups for parameter in group["params"]]
        self.register_optimizer(module_id=module_id, optimizer=self.optimizer, params=parameters)

    def optimizer_groups(self, module: SACModule, config: Any) -> list[dict[str, Any]]:
        """Parameters and learning rate of each kind of network."""
        groups = [
            {"params": list(module.policy.parameters()), "lr": config.policy_lr},
            {"params": list(module.q.parameters()), "lr": config.q_lr},
        ]
        if config.variant == "v1":
            groups.append({"params": list(module.v.parameters()), "lr": config.v_lr})
        if config.alpha == "auto":
            groups.append({"params": [module.log_alpha], "lr": config.alpha_lr})
        return groups

    def gradient_step(self, batch: Batch) -> dict[str, Tensor]:
        """Step policy, critics and temperature on ``batch``; returns losses and diagnostics."""
        return self.sac_step(batch, {})

    def sac_step(self, batch: Batch, extra_losses: dict[str, Tensor]) -> dict[str, Tensor]:
        """Step SAC's networks and those of a subclass in one backward pass.

        Args:
            batch: Transitions with the rewards to learn from.
            extra_losses: Losses of networks beside SAC's.
        """
        state = self.sac.state_input(batch["obs"], batch.get("context"))
        next_state = self.sac.state_input(batch["next_obs"], batch.get("context"))
        draw, heads = self.draw(state)
        q_of_draw = self.lowest_q(state, draw.action)
        alpha = self.alpha()
        if self.config.variant == "v1":
            target = self.v1_target(batch, next_state)
        else:
            target = self.v2_target(batch, next_state, alpha)
        losses = extra_losses | {
            "q_loss": self.q_loss(state, batch["actions"], target),
            "policy_loss": self.policy_loss(draw, heads, q_of_draw, alpha),
        }
        if self.config.variant == "v1":
            losses["v_loss"] = self.v_loss(state, draw, q_of_draw, alpha)
        if self.config.alpha == "auto":
            losses["alpha_loss"] = self.alpha_loss(draw)
        self._descend(losses)
        return losses | {
            "q_mean": q_of_draw.mean(),
            "entropy": -draw.log_prob.mean(),
            "alpha": alpha,
            "reward_mean": batch["rewards"].mean(),
        }

    def draw(self, state: Tensor) -> tuple[SquashedSample, Tensor]:
        """Reparameterised actions at ``state`` ``[B, state]``, and the heads ``[B, 2A]``."""
        heads = self.sac.policy(state)
        mean, log_std = squashed_gaussian.split(heads)
        sample = squashed_gaussian.sample(mean, log_std, self.normal(*mean.shape))
        return sample, heads

    def alpha(self) -> Tensor:
        """The temperature, as a constant."""
        if self.config.alpha == "auto":
            return self.sac.log_alpha.detach().exp()
        return torch.tensor(float(self.config.alpha), device=self._device)

    def lowest_q(self, state: Tensor, actions: Tensor) -> Tensor:
        """min_i Q_i(s, a) ``[B]``; gradients reach the actions, not the critics."""
        return self.sac.q(torch.cat((state, actions), 1), frozen=True).squeeze(-1).amin(0)

    @torch.no_grad()
    def v2_target(self, batch: Batch, next_state: Tensor, alpha: Tensor) -> Tensor:
        """Target r + γ (1 - d) [min_i Q̄_i(s', a') - α log π(a'|s')], ``[B]``.

        Source: 2018b, eq. 5 and 8.
        """
        draw, _ = self.draw(next_state)
        values = self.sac.q_target(torch.cat((next_state, draw.action), 1)).squeeze(-1).amin(0)
        return self._bootstrap(batch, values - alpha * draw.log_prob)

    @torch.no_grad()
    def v1_target(self, batch: Batch, next_state: Tensor) -> Tensor:
        """Target r + γ (1 - d) V̄(s'), ``[B]``. Source: 2018a, eq. 8."""
        return self._bootstrap(batch, self.sac.v_target(next_state).squeeze(-1))

    def q_loss(self, state: Tensor, actions: Tensor, target: Tensor) -> Tensor:
        """Sum over critics of mean (Q_i - target)² / 2. Source: 2018b, eq. 5; 2018a, eq. 7."""
        q = self.sac.q(torch.cat((state, actions), 1)).squeeze(-1)
        return 0.5 * (q - target).square().mean(1).sum()

    def v_loss(
        self, state: Tensor, draw: SquashedSample, q_of_draw: Tensor, alpha: Tensor
    ) -> Tensor:
        """Mean (V - [min_i Q_i(s, a~) - α log π(a~|s)])² / 2. Source: 2018a, eq. 5."""
        target = (q_of_draw - alpha * draw.log_prob).detach()
        return 0.5 * (self.sac.v(state).squeeze(-1) - target).square().mean()

    def policy_loss(
        self, draw: SquashedSample, heads: Tensor, q_of_draw: Tensor, alpha: Tensor
    ) -> Tensor:
        """Mean α log π(a~|s) - min_i Q_i(s, a~), and the regulariser. Source: 2018b, eq. 9."""
        loss = (alpha * draw.log_prob - q_of_draw).mean()
        if self.config.policy_regulariser:
            mean, log_std = squashed_gaussian.split(heads)
            penalty = mean.square().mean() + log_std.square().mean()
            loss = loss + self.config.policy_regulariser * penalty
        return loss

    def alpha_loss(self, draw: SquashedSample) -> Tensor:
        """-log α · mean(log π + target entropy). Source: 2018b, eq. 18 (with log α for α)."""
        return -self.sac.log_alpha * (draw.log_prob.detach().mean() + self._target_entropy)

    def _bootstrap(self, batch: Batch, next_values: Tensor) -> Tensor:
        going_on = 1 - batch["terminateds"]
        return torch.addcmul(batch["rewards"], going_on, next_values, value=self.config.gamma)

    def _descend(self, losses: dict[str, Tensor]) -> None:
        self.optimizer.zero_grad(set_to_none=True)
        torch.stack([loss.reshape(()) for loss in losses.values()]).sum().backward()
        self.optimizer.step()
        torch._foreach_lerp_(self._target, self._online, self.config.tau)

    def _target_pairs(self) -> tuple[list[Tensor], list[Tensor]]:
        is_v1 = self.config.variant == "v1"
        online = self.sac.v if is_v1 else self.sac.q
        target = self.sac.v_target if is_v1 else self.sac.q_target
        return [p.detach() for p in online.parameters()], list(target.parameters())
