"""MAML's inner loop: every task takes its policy-gradient step at once."""

from collections.abc import Sequence

import torch
from torch import Tensor

from expedition.algorithms.core.gaussian_policy import Parameters
from expedition.algorithms.maml.policy import AdaptablePolicy
from expedition.algorithms.maml.task_batch import TaskBatch


def policy_loss(policy: AdaptablePolicy, parameters: Parameters, batch: TaskBatch) -> Tensor:
    """Each task's -mean(A log π) ``[M]``; its gradient is REINFORCE's.

    Source: Finn et al. 2017, eq. 4.
    """
    log_prob = policy.distribution(parameters, batch.obs).log_prob(batch.actions)
    return batch.task_means(-batch.advantages * log_prob)


def adapt(
    policy: AdaptablePolicy, batches: Sequence[TaskBatch], meta: Parameters | None = None
) -> dict[str, Tensor]:
    """Adapt all tasks from the meta-parameters, one gradient step a batch.

    Where gradients are off, the result is the same without a graph.

    Args:
        policy: The meta-parameters.
        batches: One batch for each step, of the same M tasks.
        meta: Values to use in place of the policy's own, keyed as ``named_parameters``.

    Returns:
        Adapted parameters ``[M, ...]`` by name.
    """
    parameters = policy.stacked(len(batches[0].obs), meta)
    for batch in batches:
        parameters = step(policy, parameters, batch, meta)
    return parameters


def step(
    policy: AdaptablePolicy,
    parameters: Parameters,
    batch: TaskBatch,
    meta: Parameters | None = None,
    *,
    scale: float = 1.0,
) -> dict[str, Tensor]:
    """One gradient step of every task, ``scale`` times its step size, from ``[M, ...]``.

    Task losses share no parameter copy, so the gradient of their sum holds every task's own.

    Returns:
        The parameters after the step ``[M, ...]``; with a graph where gradients are on.
    """
    has_graph = torch.is_grad_enabled()
    with torch.enable_grad():
        moving = {name: parameters[name] for name in policy.adapted}
        if not has_graph:
            moving = {name: value.detach().requires_grad_() for name, value in moving.items()}
        total = policy_loss(policy, {**parameters, **moving}, batch).sum()
        gradients = torch.autograd.grad(total, list(moving.values()), create_graph=has_graph)
    after = dict(parameters)
    for (name, value), gradient in zip(moving.items(), gradients, strict=True):
        after[name] = value - scale * policy.step_size(name, meta) * gradient
    return after
