"""Losses and updates of deep deterministic policy gradient."""

from typing import Any

import torch
from torch import Tensor

from expedition.algorithms.core.env_runner import Transitions
from expedition.algorithms.core.learner import OffPolicyLearner
from expedition.algorithms.core.replay import Batch
from expedition.algorithms.implicit_policy.ddpg_module import DDPGModule
from expedition.algorithms.implicit_policy.parameter_noise import adapted
from expedition.algorithms.implicit_policy.target_networks import TargetNetworks, bootstrapped


class DDPGLearner(OffPolicyLearner):
    """Steps actor and critic together, both losses at the parameters from before the step."""

    def build(self) -> None:
        """Build module, optimiser and replay."""
        super().build()
        self.ddpg: DDPGModule = self.module["default_policy"].unwrapped()
        ddpg = self.ddpg
        self._targets = TargetNetworks((ddpg.policy, ddpg.q), (ddpg.policy_target, ddpg.q_target))

    def configure_optimizers_for_module(self, module_id: str, config: Any = None) -> None:
        """One fused Adam; the critic's hidden weights have the gradient of λ/2 Σ w² added."""
        module: DDPGModule = self.module[module_id].unwrapped()
        decayed = module.q.decayed
        rest = [p for p in module.q.parameters() if all(p is not other for other in decayed)]
        groups = [
            {"params": list(module.policy.parameters()), "lr": config.policy_lr},
            {"params": rest, "lr": config.q_lr},
            {"params": decayed, "lr": config.q_lr, "weight_decay": config.critic_l2},
        ]
        self.optimizer = torch.optim.Adam(groups, fused=True)
        parameters = [parameter for group in groups for parameter in group["params"]]
        self.register_optimizer(module_id=module_id, optimizer=self.optimizer, params=parameters)

    def prepare(self, transitions: Transitions) -> Transitions:
        """Show new observations to the filter."""
        obs = torch.as_tensor(transitions["obs"], device=self._device)
        if len(obs):
            self.ddpg.filter.update(obs)
        return super().prepare(transitions)

    def gradient_step(self, batch: Batch) -> dict[str, Tensor]:
        """Step actor and critic on ``batch``, then move the targets."""
        obs, next_obs = self.ddpg.filter(batch["obs"]), self.ddpg.filter(batch["next_obs"])
        q_loss = self.q_loss(obs, batch["actions"], self.q_target(batch, next_obs))
        actions = self.ddpg.policy(obs).tanh()
        policy_loss, q_mean = self.policy_loss(obs, actions)
        self.optimizer.zero_grad(set_to_none=True)
        torch.stack((q_loss, policy_loss)).sum().backward()
        self.optimizer.step()
        self._targets.follow(self.config.tau)
        return {
            "q_loss": q_loss,
            "q_mean": q_mean,
            "reward_mean": batch["rewards"].mean(),
            "parameter_noise": self.ddpg.noise_std.clone(),
        }

    @torch.no_grad()
    def q_target(self, batch: Batch, next_obs: Tensor) -> Tensor:
        """Target r + γ (1 - d) Q̄(s', μ̄(s')), ``[B]``. Source: Lillicrap et al. 2016, eq. 5."""
        values = self.ddpg.q_target(next_obs, self.ddpg.policy_target(next_obs).tanh())
        return bootstrapped(batch, values, self.config.gamma)

    def q_loss(self, obs: Tensor, actions: Tensor, target: Tensor) -> Tensor:
        """Mean (Q(s, a) - target)². Source: eq. 4."""
        return (self.ddpg.q(obs, actions) - target).square().mean()

    def policy_loss(self, obs: Tensor, actions: Tensor) -> tuple[Tensor, Tensor]:
        """A loss with the gradient of mean -Q(s, μ(s)) in the actor alone, and mean Q.

        dQ/da is taken first and then pushed through the actor, which leaves the critic out.
        Source: eq. 6.
        """
        proposed = actions.detach().requires_grad_()
        q_mean = self.ddpg.q(obs, proposed).mean()
        (slope,) = torch.autograd.grad(q_mean, proposed)
        return -(slope * actions).sum(), q_mean.detach()

    def after_gradient_step(self) -> None:
        """Adapt the scale of the parameter noise when it is time."""
        every = self.config.noise_adapt_every
        if self.config.parameter_noise and self.updates % every == 0:
            self.adapt_noise(self.replay.sample(self.config.train_batch_size)["obs"])

    @torch.no_grad()
    def adapt_noise(self, obs: Tensor) -> None:
        """Compare the actor with a perturbed one at ``obs`` ``[B, obs]``; rescale the noise.

        Their distance is the root of the mean squared difference of the actions' components.
        """
        policy, std = self.ddpg.policy, self.ddpg.noise_std
        offsets = [std * self.normal(1, *p.shape) for p in policy.perturbable]
        filtered = self.ddpg.filter(obs)
        rows = [offset.expand(len(obs), *offset.shape[1:]) for offset in offsets]
        moved = policy.perturbed(filtered, rows).tanh() - policy(filtered).tanh()
        distance = moved.square().mean().sqrt()
        std.copy_(adapted(std, distance, self.config.action_std_target, self.config.noise_factor))
