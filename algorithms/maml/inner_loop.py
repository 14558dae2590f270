"""MAML's inner loop: every task takes its policy-gradient step at once."""

from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor

from expedition.algorithms.maml.policy import AdaptablePolicy, Parameters


class TaskBatch(NamedTuple):
    """Steps of M tasks, B each at most: a task with fewer is padded and masked.

    Attributes:
        obs: ``[M, B, obs]``.
        actions: ``[M, B, action]``.
        advantages: ``[M, B]``, standardised within a task.
        mask: ``[M, B]``, 1 for a step that was made and 0 for padding.
    """

    obs: Tensor
    actions: Tensor
    advantages: Tensor
    mask: Tensor

    def task_means(self, values: Tensor) -> Tensor:
        """Mean over a task's own steps: ``[M, B] -> [M]``."""
        return (values * self.mask).sum(1) / self.mask.sum(1)


def policy_loss(policy: AdaptablePolicy, parameters: Parameters, batch: TaskBatch) -> Tensor:
    """Each task's -mean(A log π) ``[M]``; its gradient is REINFORCE's.

    Source: Finn et al. 2017, eq. 4.
    """
    log_prob = policy.log_prob(parameters, batch.obs, batch.actions)
    return batch.task_means(-batch.advantages * log_prob)


def adapt(
    policy: AdaptablePolicy,
    batches: Sequence[TaskBatch],
    meta: Parameters | None = None,
    *,
    differentiable: bool = True,
) -> dict[str, Tensor]:
    """Adapt all tasks from the meta-parameters, one gradient step a batch.

    Task losses share no parameter copy, so the gradient of their sum holds every task's own.

    Args:
        policy: The meta-parameters.
        batches: One batch for each step, of the same M tasks.
        meta: Values to use in place of the policy's own, keyed as ``named_parameters``.
        differentiable: Keep the graph, for a meta-gradient through the steps.

    Returns:
        Adapted parameters ``[M, ...]`` by name.
    """
    parameters = policy.stacked(len(batches[0].obs), meta)
    for batch in batches:
        parameters = step(policy, parameters, batch, meta, differentiable=differentiable)
    return parameters


def step(
    policy: AdaptablePolicy,
    parameters: Parameters,
    batch: TaskBatch,
    meta: Parameters | None = None,
    *,
    differentiable: bool = True,
    scale: float = 1.0,
) -> dict[str, Tensor]:
    """One gradient step of every task from parameters ``[M, ...]``; ``scale`` times the step size.

    Returns:
        The parameters after the step; without a graph if not ``differentiable``.
    """
    with torch.enable_grad():
        if not differentiable:
            parameters = {k: v.detach().requires_grad_() for k, v in parameters.items()}
        adapted = [parameters[name] for name in policy.adapted]
        total = policy_loss(policy, parameters, batch).sum()
        gradients = torch.autograd.grad(total, adapted, create_graph=differentiable)
        after = dict(parameters)
        for name, value, gradient in zip(policy.adapted, adapted, gradients, strict=True):
            after[name] = value - scale * policy.step_size(name, meta) * gradient
    return after if differentiable else {k: v.detach() for k, v in after.items()}
