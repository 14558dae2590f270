"""TRPO with a normalising-flow policy, whose density is known at an action and nowhere else."""

from collections.abc import Callable, Mapping

import torch
from torch import Tensor
from torch.func import functional_call

from expedition.algorithms.core.episodes import EpisodeBatch
from expedition.algorithms.core.gaussian_policy import Parameters
from expedition.algorithms.core.module import OffPolicyModule
from expedition.algorithms.core.on_policy_learner import step_statistics
from expedition.algorithms.core.trust_region import (
    FisherProduct,
    assign,
    flattened,
    trust_region_step,
    unflattened,
)
from expedition.algorithms.implicit_policy.flow import CouplingFlow
from expedition.algorithms.implicit_policy.flow_policy import FlowPolicy
from expedition.algorithms.ppo.policy import StateNet
from expedition.algorithms.trpo.learner import PolicyGradientLearner, StepRows

_OUTPUT_SCALE = 3e-3  # of the state net's last layer
_LARGEST_LOG_RATIO = 20.0

LogProb = Callable[[Parameters], Tensor]


class FlowModule(OffPolicyModule):
    """A flow policy on the observations as they are; ``act`` clips its actions to (-1, 1)."""

    def setup(self) -> None:
        """Build the policy from the config's settings."""
        super().setup()
        settings = self.model_config
        sizes = (self.obs_dim, *settings["hidden_sizes"], self.action_dim)
        self.policy = FlowPolicy(
            StateNet(sizes, settings["activation"], layer_norm=True, output_scale=_OUTPUT_SCALE),
            CouplingFlow.of(settings, self.obs_dim, self.action_dim),
        )

    def get_non_inference_attributes(self) -> list[str]:
        """An env runner needs the whole policy."""
        return []

    def act(
        self, obs: Tensor, context: Tensor, generator: torch.Generator | None, explore: bool
    ) -> Tensor:
        """Draw actions, whether exploring or not; see ``OffPolicyModule.act``."""
        noise = torch.randn(len(obs), self.action_dim, generator=generator)
        return self.policy.draw(obs, noise).raw.clamp(-1, 1)


class SampledObjective:
    """Loss -Σ w ρ A and a divergence from samples alone, for ``trust_region_step``.

    The divergence is Σ w (ρ - 1 - log ρ), an estimate of KL(old ‖ new) that is never negative. Its
    curvature is that of the scores, Σ w ∇log π ∇log π', which estimates the Fisher information as
    well as the Hessian of mean(log π_old - log π) does, but cannot be indefinite.

    Args:
        parameters: What is learned, at the values that acted.
        log_prob: Log densities ``[N]`` of the actions taken, as a function of such parameters.
        advantages: ``[N]``.
    """

    def __init__(
        self, parameters: Mapping[str, Tensor], log_prob: LogProb, advantages: Tensor
    ) -> None:
        self._names = list(parameters)
        self._values = [value.detach().requires_grad_() for value in parameters.values()]
        self._log_prob, self._advantages = log_prob, advantages
        now = log_prob(dict(zip(self._names, self._values, strict=True)))
        self._old = now.detach()
        self.start = flattened(self._values)
        self.loss = -advantages.mean()
        weighted = -(advantages * now).mean()  # at ratio 1 its gradient is the loss's
        self.gradient = flattened(
            torch.autograd.grad(
                weighted, self._values, retain_graph=True, allow_unused=True, materialize_grads=True
            )
        )
        shares = torch.full_like(self._old, 1 / len(self._old))
        self._fisher = FisherProduct([now], [shares], self._values)

    def fisher_product(self, vector: Tensor) -> Tensor:
        """The scores' second moment times ``vector``, both ``[P]``."""
        return self._fisher(vector)

    @torch.no_grad()
    def evaluate(self, flat: Tensor) -> tuple[Tensor, Tensor]:
        """Loss and divergence at other parameters ``[P]``."""
        values = unflattened(flat, self._values)
        log_ratio = self._log_prob(dict(zip(self._names, values, strict=True))) - self._old
        log_ratio = log_ratio.clamp(-_LARGEST_LOG_RATIO, _LARGEST_LOG_RATIO)
        loss = -(log_ratio.exp() * self._advantages).mean()
        return loss, (log_ratio.expm1() - log_ratio).mean()


class FlowTRPOLearner(PolicyGradientLearner):
    """One trust-region step of a flow policy. Source: Tang & Agrawal 2018, arXiv:1809.10326."""

    def make_update(self, batch: EpisodeBatch) -> dict[str, float]:
        """Step the policy within its trust region."""
        rows = StepRows(batch.mask)
        obs, raw, advantages = (
            self.tensor(rows(array))[0]
            for array in (batch.obs, batch.actions, self.advantages(batch))
        )
        policy = self.own_module.policy

        def log_prob(parameters: Parameters) -> Tensor:
            return functional_call(policy, dict(parameters), (obs, raw))

        objective = SampledObjective(self._parameters(), log_prob, advantages)
        step = trust_region_step(objective, objective.start, self.config.trust_region)
        assign(list(policy.parameters()), step.parameters)
        with torch.no_grad():
            own = policy.statistics(obs.float(), raw.float())
        return step_statistics(step) | {name: value.item() for name, value in own.items()}
