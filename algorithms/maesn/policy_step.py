"""The policies of tasks, and the optional inner step on them (eq. 7)."""

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from expedition.algorithms.core.episodes import EpisodeBatch
from expedition.algorithms.core.gaussian_policy import (
    ActingPolicy,
    Gaussian,
    GaussianPolicy,
    Parameters,
)
from expedition.algorithms.core.networks import Activation


class PolicyData(NamedTuple):
    """Steps of M tasks' episodes before adaptation.

    Attributes:
        obs: ``[M, K, T, obs]``.
        latents: Of the episodes, ``[M, K, d]``, as data.
        actions: ``[M, K, T, action]``.
        advantages: Standardised over a task's steps, ``[M, K, T]``.
        mask: ``[M, K, T]``, 1 for a step that was made.
    """

    obs: Tensor
    latents: Tensor
    actions: Tensor
    advantages: Tensor
    mask: Tensor


def policy_data(batch: EpisodeBatch, latents: Tensor, advantages: np.ndarray) -> PolicyData:
    """Episodes with their latents ``[M, K, d]`` and advantages ``[M, K, T]``, on their device."""

    def moved(array: np.ndarray) -> Tensor:
        return torch.tensor(array, dtype=torch.float64, device=latents.device)

    return PolicyData(
        moved(batch.obs), latents, moved(batch.actions), moved(advantages), moved(batch.mask)
    )


def stacked(parameters: Parameters, tasks: int) -> dict[str, Tensor]:
    """Shared parameters once a task, ``[M, 1, ...]``, differentiably."""
    return {name: p.expand(tasks, 1, *p.shape) for name, p in parameters.items()}


def stepped(
    policy: GaussianPolicy,
    parameters: Parameters,
    data: PolicyData,
    steps: Mapping[str, Tensor],
    *,
    scale: float = 1.0,
    differentiable: bool = False,
) -> dict[str, Tensor]:
    """Each task's parameters after one ascent step of its mean(A log π).

    Args:
        policy: Says how parameters make a policy.
        parameters: ``[M, 1, ...]``.
        data: What each task saw.
        steps: A step size for every number, shared by the tasks.
        scale: Multiplies them.
        differentiable: Keep the graph, for a gradient through the step.

    Source: Gupta et al. 2018, arXiv:1802.07245, eq. 7.
    """
    with torch.enable_grad():
        if not differentiable:
            parameters = {k: v.detach().requires_grad_() for k, v in parameters.items()}
        mean = policy.mean(parameters, data.obs, data.latents)
        log_prob = Gaussian(mean, policy.floored_log_std(parameters)).log_prob(data.actions)
        gains = (log_prob * data.advantages * data.mask).sum((1, 2)) / data.mask.sum((1, 2))
        # No two tasks share a number here: the gradient of the sum holds every task's own.
        gradients = torch.autograd.grad(
            gains.sum(), list(parameters.values()), create_graph=differentiable
        )
    after = {
        name: value + scale * steps[name] * gradient
        for (name, value), gradient in zip(parameters.items(), gradients, strict=True)
    }
    return after if differentiable else {name: value.detach() for name, value in after.items()}


class TaskPolicies:
    """The policy of M tasks: shared, or a copy for each that adapts.

    Args:
        parameters: Of the shared policy, float32.
        steps: Step sizes of its parameters; empty if it does not adapt.
        tasks: M.
        activation: Of the policy.
    """

    def __init__(
        self,
        parameters: dict[str, np.ndarray],
        steps: dict[str, np.ndarray],
        tasks: int,
        activation: Activation,
    ) -> None:
        self._activation = activation
        self._shared = parameters
        self._steps = {name: torch.tensor(step).double() for name, step in steps.items()}
        self._own: dict[str, Tensor] = {}
        if steps:
            exact = {name: torch.tensor(value).double() for name, value in parameters.items()}
            self._own = stacked(exact, tasks)

    def acting(self, drawn: Tensor) -> ActingPolicy:
        """To sample with latents ``[M, K, d]``."""
        parameters = self._shared
        if self._own:
            parameters = {k: v.squeeze(1).float().numpy() for k, v in self._own.items()}
        return ActingPolicy(parameters, self._activation, drawn.numpy())

    def adapt(
        self, batch: EpisodeBatch, drawn: Tensor, advantages: np.ndarray, scale: float = 1.0
    ) -> None:
        """Make a step of each task's policy on its own episodes, if policies adapt.

        Args:
            batch: The episodes.
            drawn: Their latents, ``[M, K, d]``.
            advantages: Of their steps, standardised, ``[M, K, T]``.
            scale: Multiplies the step sizes.
        """
        if not self._own:
            return
        policy = _like(self._shared, batch.obs.shape[-1], self._activation)
        data = policy_data(batch, drawn, advantages)
        self._own = stepped(policy, self._own, data, self._steps, scale=scale)


def _like(
    parameters: Mapping[str, np.ndarray], obs_dim: int, activation: Activation
) -> GaussianPolicy:
    """A policy of the shape that parameters ``[in, out]`` have; its own values do not matter."""
    count = sum(name.startswith("weight_") for name in parameters)
    sizes = [parameters[f"weight_{layer}"].shape for layer in range(count)]
    return GaussianPolicy(
        obs_dim,
        sizes[-1][1],
        [columns for _, columns in sizes[:-1]],
        latent_dim=sizes[0][0] - obs_dim,
        activation=activation,
    )
