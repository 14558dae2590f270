"""What MAML's outer step descends, and its trust region."""

from collections.abc import Sequence
from typing import NamedTuple

from torch import Tensor

from expedition.algorithms.core.gaussian_policy import Gaussian, Parameters
from expedition.algorithms.core.surrogate import Distribution, Samples, SurrogateObjective
from expedition.algorithms.maml.inner_loop import adapt
from expedition.algorithms.maml.policy import AdaptablePolicy
from expedition.algorithms.maml.task_batch import TaskBatch


class MetaBatch(NamedTuple):
    """Data of M tasks: ``before``, of each inner step; ``after``, of the adapted policies."""

    before: Sequence[TaskBatch]
    after: TaskBatch


def meta_objective(
    policy: AdaptablePolicy, batch: MetaBatch, old: Gaussian, curvature: MetaBatch | None = None
) -> SurrogateObjective:
    """Loss mean_i {-mean_t ρ_t A_t} and divergence, the mean KL over all steps of all tasks.

    ρ is the ratio of the adapted policy to the one that acted. Both are functions of the
    meta-parameters through the inner steps.

    Args:
        policy: The meta-parameters.
        batch: What was sampled.
        old: The adapted policies that acted, at ``batch.after``.
        curvature: Data that the divergence's curvature is measured on; ``batch`` when not given.

    Source: Finn et al. 2017, algorithm 3 and sec. 5.3 (TRPO as the meta-optimizer).
    """
    mask = batch.after.mask
    samples = Samples(
        actions=batch.after.actions,
        advantages=batch.after.advantages,
        old=old,
        loss_weights=mask / (mask.sum(1, keepdim=True) * len(mask)),
        kl_weights=_shares(mask),
    )
    fisher = None
    if curvature is not None:
        fisher = (_adapted(policy, curvature), _shares(curvature.after.mask))
    parameters = dict(policy.named_parameters())
    return SurrogateObjective(parameters, _adapted(policy, batch), samples, fisher=fisher)


def _adapted(policy: AdaptablePolicy, batch: MetaBatch) -> Distribution:
    def distribution(meta: Parameters) -> Gaussian:
        return policy.distribution(adapt(policy, batch.before, meta), batch.after.obs)

    return distribution


def _shares(mask: Tensor) -> Tensor:
    return mask / mask.sum()
