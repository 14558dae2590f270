"""What MAML's outer step descends, and the curvature of its constraint."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import torch
from torch import Tensor

from expedition.algorithms.maml.inner_loop import TaskBatch, adapt
from expedition.algorithms.maml.policy import AdaptablePolicy, Parameters, gaussian_log_prob


class Behaviour(NamedTuple):
    """Who drew a batch: ``mean`` ``[M, B, action]``, ``log_std`` ``[M, 1, action]``.

    Both in float64: a KL near zero is a difference of nearly equal numbers.
    """

    mean: Tensor
    log_std: Tensor


class MetaObjective:
    """Loss after adaptation, and its KL to the adapted policies that drew the data.

    The loss is mean_i {-mean_t ρ_t A_t}, ρ the ratio of the adapted policy to the one that acted;
    the constraint is the mean KL over all steps. Both go through the inner steps.

    Args:
        policy: The meta-parameters.
        before: Data of each inner step.
        after: Data of the adapted policies.
        fisher_before: Data of the inner steps for the curvature; smaller than ``before`` to save
            time, or the same.
        fisher_after: Likewise.

    Source: Finn et al. 2017, algorithm 3 and sec. 5.3 (TRPO as the meta-optimizer).
    """

    def __init__(
        self,
        policy: AdaptablePolicy,
        before: Sequence[TaskBatch],
        after: TaskBatch,
        fisher_before: Sequence[TaskBatch] | None = None,
        fisher_after: TaskBatch | None = None,
    ) -> None:
        self.policy = policy
        self.before = before
        self.after = after
        self.meta = dict(policy.named_parameters())
        adapted = adapt(policy, before)
        mean = policy.mean(adapted, after.obs)
        self.old = self._behaviour(mean.detach(), policy.log_std(adapted).detach())
        loss = self._loss(mean, policy.log_std(adapted))
        self.loss = loss.item()
        shared = fisher_before is None or fisher_after is None
        self.gradient = _flat(
            torch.autograd.grad(loss, list(self.meta.values()), retain_graph=shared)
        )
        if fisher_before is not None and fisher_after is not None:
            adapted = adapt(policy, fisher_before)
            mean, after = policy.mean(adapted, fisher_after.obs), fisher_after
        self._fisher = _FisherProduct(
            mean, policy.log_std(adapted), after.mask, list(self.meta.values())
        )

    def fisher_product(self, vector: Tensor) -> Tensor:
        """Hessian of the KL at the present meta-parameters times ``vector`` ``[P]``, exactly."""
        return self._fisher(vector)

    def evaluate(self, flat: Tensor) -> tuple[float, float]:
        """Loss and KL at other meta-parameters ``[P]``; nothing is changed."""
        meta = unflattened(flat, self.meta)
        adapted = adapt(self.policy, self.before, meta, differentiable=False)
        with torch.no_grad():
            mean, log_std = self.policy.mean(adapted, self.after.obs), self.policy.log_std(adapted)
            new = self._behaviour(mean, log_std)
            return self._loss(mean, log_std).item(), self._divergence(new).item()

    def _loss(self, mean: Tensor, log_std: Tensor) -> Tensor:
        after = self.after
        new = gaussian_log_prob(after.actions, mean, log_std)
        old = gaussian_log_prob(
            after.actions, self.old.mean.to(mean.dtype), self.old.log_std.to(mean.dtype)
        )
        return -after.task_means((new - old).exp() * after.advantages).mean()

    def _divergence(self, new: Behaviour) -> Tensor:
        """Mean over all steps of all tasks of KL(old ‖ new)."""
        variance = (2 * (self.old.log_std - new.log_std)).exp()
        error = (self.old.mean - new.mean).square() * (-2 * new.log_std).exp()
        divergence = (0.5 * (variance + error - 1) + new.log_std - self.old.log_std).sum(-1)
        mask = self.after.mask.double()
        return (divergence * mask).sum() / mask.sum()

    @staticmethod
    def _behaviour(mean: Tensor, log_std: Tensor) -> Behaviour:
        return Behaviour(mean.double(), log_std.double())


class _FisherProduct:
    """J'FJv, J the Jacobian of all actions' (mean, log std), F their Fisher information.

    At the old parameters this is the exact Hessian of the KL: its first derivative in (mean, log
    std) is zero there, so that no second derivative of the inner step is left. J'u is reverse mode;
    it is linear in u, so its own reverse mode gives Jv. Both reuse one graph.
    """

    def __init__(
        self, mean: Tensor, log_std: Tensor, mask: Tensor, parameters: Sequence[Tensor]
    ) -> None:
        self._parameters = parameters
        self._outputs = [mean, log_std]
        self._cotangents = [
            torch.zeros_like(output, requires_grad=True) for output in self._outputs
        ]
        self._linear = self._pull_back(self._cotangents, create_graph=True)
        weight = (mask / mask.sum()).unsqueeze(-1)  # of each step in the mean
        precision = (-2 * log_std.detach()).exp()
        steps = mask.sum(1).reshape(-1, 1, 1) / mask.sum()
        self._information = [weight * precision, 2 * steps]

    def __call__(self, vector: Tensor) -> Tensor:
        parts = vector.to(self._outputs[0].dtype).split([p.numel() for p in self._parameters])
        shaped = [part.view_as(p) for part, p in zip(parts, self._parameters, strict=True)]
        tangents = torch.autograd.grad(self._linear, self._cotangents, shaped, retain_graph=True)
        weighted = [i * t for i, t in zip(self._information, tangents, strict=True)]
        return _flat(self._pull_back(weighted)).to(vector.dtype)

    def _pull_back(
        self, cotangents: Sequence[Tensor], create_graph: bool = False
    ) -> tuple[Tensor, ...]:
        return torch.autograd.grad(
            self._outputs,
            self._parameters,
            cotangents,
            retain_graph=True,
            create_graph=create_graph,
            allow_unused=True,
            materialize_grads=True,
        )


def flattened(parameters: Mapping[str, Tensor]) -> Tensor:
    """All values as one float64 vector ``[P]``."""
    return _flat(tuple(parameters.values()))


def unflattened(flat: Tensor, like: Parameters) -> dict[str, Tensor]:
    """Cut a vector ``[P]`` into tensors of the shapes and types of ``like``."""
    parts = flat.split([value.numel() for value in like.values()])
    return {
        name: part.view_as(value).to(value.dtype)
        for (name, value), part in zip(like.items(), parts, strict=True)
    }


def _flat(tensors: Sequence[Tensor]) -> Tensor:
    return torch.cat([tensor.detach().reshape(-1).double() for tensor in tensors])
