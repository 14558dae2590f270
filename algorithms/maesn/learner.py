"""The meta-update of MAESN."""

from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor

from expedition.algorithms.core.gaussian_policy import Gaussian, Parameters
from expedition.algorithms.core.on_policy_learner import OnPolicyLearner, step_statistics
from expedition.algorithms.core.surrogate import Samples, SurrogateObjective
from expedition.algorithms.core.trust_region import assign, trust_region_step
from expedition.algorithms.maesn.latents import Latents, Steps, adapted
from expedition.algorithms.maesn.policy_step import PolicyData, policy_data, stacked, stepped
from expedition.algorithms.maesn.task_data import TaskData


class _Tensors(NamedTuple):
    """``TaskData`` on the learner's device, with the tasks' indices."""

    tasks: Tensor  # [M]
    drawn: Tensor  # [M, K, d]
    latent_advantages: Tensor  # [M, K]
    noise: Tensor  # [M, K, d]
    obs: Tensor  # [M, K, T, obs]
    before: PolicyData | None  # where policies adapt


class MAESNLearner(OnPolicyLearner):
    """One trust-region step on policy, latents and step sizes, through the tasks' inner steps."""

    def make_update(self, batch: tuple[np.ndarray, TaskData]) -> dict[str, float]:
        """Step all meta-parameters.

        Args:
            batch: Indices of the tasks ``[M]`` and what was sampled of them.
        """
        tasks, data = batch
        objective = self.objective(tasks, data)
        step = trust_region_step(objective, objective.start, self.config.trust_region)
        assign(self._learned(), step.parameters)
        return step_statistics(step) | self._latent_statistics()

    def objective(self, tasks: np.ndarray, data: TaskData) -> SurrogateObjective:
        """Loss and divergence as functions of the meta-parameters, gradients in float64.

        The loss is the mean over tasks of -mean_t ρ_t A_t + λ KL(N(m, σ²) ‖ N(0, I)); the action's
        distribution depends on the adapted latents, drawn by reparameterisation, and the divergence
        from the prior on those before adaptation. The constraint is the mean KL over all steps.

        Source: Gupta et al. 2018, eq. 8-9.
        """
        tensors, samples = self._tensors(tasks, data), self._samples(data)
        episodes = max(1, round(data.noise.shape[1] * self.config.curvature_episodes))
        fisher = None
        if episodes < data.noise.shape[1]:
            part = tensors._replace(
                noise=tensors.noise[:, :episodes], obs=tensors.obs[:, :episodes]
            )
            weights = samples.kl_weights[:, :episodes]
            fisher = (lambda own: self.distribution(own, part), weights / weights.sum())
        return SurrogateObjective(
            {name: p.double() for name, p in self._named()},
            lambda own: self.distribution(own, tensors),
            samples,
            penalty=lambda own: self._penalty(own, tensors.tasks),
            fisher=fisher,
        )

    def distribution(self, own: Parameters, tensors: _Tensors) -> Gaussian:
        """The adapted tasks' actions, with means ``[M, K, T, action]``.

        The inner step takes the latents of before as data; those of after are functions of the
        meta-parameters, with the noise held.
        """
        latents = self._rows(own, tensors.tasks)
        if self.config.adapts:
            latents = adapted(
                latents, tensors.drawn, tensors.latent_advantages, self._steps(own, tensors.tasks)
            )
        policy, layers = self.own_module.policy, _named_below(own, "policy.")
        if tensors.before is not None:
            layers = stepped(
                policy,
                stacked(layers, len(tensors.tasks)),
                tensors.before,
                _named_below(own, "policy_steps."),
                differentiable=torch.is_grad_enabled(),
            )
        mean = policy.mean(layers, tensors.obs, latents.draw(tensors.noise))
        return Gaussian(mean, policy.floored_log_std(layers))

    def _penalty(self, own: Parameters, tasks: Tensor) -> Tensor:
        return self.config.kl_weight * self._rows(own, tasks).kl_to_prior().mean()

    @staticmethod
    def _rows(own: Parameters, tasks: Tensor) -> Latents:
        return Latents(own["latent_means"][tasks], own["latent_log_stds"][tasks])

    def _steps(self, own: Parameters, tasks: Tensor) -> Steps:
        steps = self.own_module.steps()
        if self.config.step_sizes == "fixed":
            return steps
        rows = tasks if self.config.step_sizes == "per_parameter" else slice(None)
        return Steps(own["mean_steps"][rows], own["log_std_steps"][rows])

    def _tensors(self, tasks: np.ndarray, data: TaskData) -> _Tensors:
        drawn = self.tensor(data.drawn)
        before = None
        if data.before is not None:
            batch, advantages = data.before
            before = policy_data(batch, drawn, advantages)
        return _Tensors(
            self.tensor(tasks, torch.int64),
            drawn,
            self.tensor(data.latent_advantages),
            self.tensor(data.noise),
            self.tensor(data.batch.obs),
            before,
        )

    def _samples(self, data: TaskData) -> Samples:
        mask = self.tensor(data.batch.mask)
        steps = mask.sum((1, 2), keepdim=True)
        return Samples(
            actions=self.tensor(data.batch.actions),
            advantages=self.tensor(data.advantages),
            old=Gaussian(self.tensor(data.batch.means), self.tensor(data.log_std)),
            loss_weights=mask / (steps * len(mask)),
            kl_weights=mask / mask.sum(),
        )

    def _named(self) -> list[tuple[str, Any]]:
        return [(name, p) for name, p in self.own_module.named_parameters() if p.requires_grad]

    def _learned(self) -> list[Any]:
        return [parameter for _, parameter in self._named()]

    def _latent_statistics(self) -> dict[str, float]:
        module = self.own_module
        latents, steps = module.latents(), module.steps()
        values = {
            "latent_kl": latents.kl_to_prior().mean(),
            "latent_mean_norm": latents.means.norm(dim=-1).mean(),
            "latent_std": latents.log_stds.exp().mean(),
            "mean_step": steps.means.mean(),
            "log_std_step": steps.log_stds.mean(),
            "action_std": module.policy.log_std.exp().mean(),
        }
        return {name: value.item() for name, value in values.items()}


def _named_below(own: Parameters, prefix: str) -> dict[str, Tensor]:
    return {k.removeprefix(prefix): v for k, v in own.items() if k.startswith(prefix)}
