"""The outer objective: its gradient, its curvature and its KL, against slower definitions."""

import pytest
import torch
from torch import Tensor
from torch.distributions import Normal, kl_divergence

from expedition.algorithms.core.gaussian_policy import Gaussian
from expedition.algorithms.core.surrogate import SurrogateObjective
from expedition.algorithms.core.trust_region import TrustRegion, trust_region_step
from expedition.algorithms.maml.inner_loop import adapt
from expedition.algorithms.maml.meta_objective import MetaBatch, meta_objective
from expedition.algorithms.maml.policy import AdaptablePolicy
from expedition.algorithms.maml.task_batch import TaskBatch

TASKS, STEPS, OBS, ACTIONS = 3, 6, 2, 2
SETTINGS = [{}, {"context_dim": 2, "adaptive_steps": True, "activation": "tanh"}]


def make_policy(**settings: object) -> AdaptablePolicy:
    torch.manual_seed(0)
    policy = AdaptablePolicy(OBS, ACTIONS, (4,), **settings).double()
    with torch.no_grad():
        for parameter in policy.parameters():
            parameter += 0.1 * torch.randn_like(parameter)
    return policy


def make_batch(seed: int, steps: int = STEPS) -> TaskBatch:
    generator = torch.Generator().manual_seed(seed)

    def normal(*shape: int) -> Tensor:
        return torch.randn(*shape, generator=generator, dtype=torch.float64)

    mask = torch.ones(TASKS, steps, dtype=torch.float64)
    mask[1, 4:] = 0
    return TaskBatch(
        normal(TASKS, steps, OBS), normal(TASKS, steps, ACTIONS), normal(TASKS, steps), mask
    )


DATA = MetaBatch([make_batch(0)], make_batch(1))


def acting(policy: AdaptablePolicy, data: MetaBatch = DATA) -> Gaussian:
    with torch.no_grad():
        return policy.distribution(adapt(policy, data.before), data.after.obs)


def divergence(policy: AdaptablePolicy, objective: SurrogateObjective, flat: Tensor) -> Tensor:
    """KL from the old adapted policies by torch's own distributions, with a graph."""
    old = acting(policy)
    new = policy.distribution(adapt(policy, DATA.before, objective.unpacked(flat)), DATA.after.obs)
    kl = kl_divergence(Normal(old.mean, old.log_std.exp()), Normal(new.mean, new.log_std.exp()))
    return (kl.sum(-1) * DATA.after.mask).sum() / DATA.after.mask.sum()


@pytest.fixture(params=SETTINGS)
def policy(request: pytest.FixtureRequest) -> AdaptablePolicy:
    return make_policy(**request.param)


@pytest.fixture
def objective(policy: AdaptablePolicy) -> SurrogateObjective:
    return meta_objective(policy, DATA, acting(policy))


def test_nothing_has_moved_at_the_old_parameters(objective: SurrogateObjective):
    loss, kl = objective.evaluate(objective.start)
    assert abs(kl.item()) < 1e-15
    expected = -DATA.after.task_means(DATA.after.advantages).mean()
    assert loss.item() == pytest.approx(expected.item())


def test_gradient_equals_finite_differences(objective: SurrogateObjective):
    flat, epsilon = objective.start, 1e-6
    for index in range(0, len(flat), 3):
        change = torch.zeros_like(flat)
        change[index] = epsilon
        above, below = (objective.evaluate(flat + sign * change)[0].item() for sign in (1, -1))
        numeric = (above - below) / (2 * epsilon)
        assert objective.gradient[index].item() == pytest.approx(numeric, rel=1e-4, abs=1e-7)


def test_curvature_product_equals_the_explicit_hessian(
    policy: AdaptablePolicy, objective: SurrogateObjective
):
    """Hessian of the KL by autograd, through the inner step."""
    hessian = torch.autograd.functional.hessian(
        lambda flat: divergence(policy, objective, flat), objective.start
    )
    for column in torch.eye(len(hessian), dtype=torch.float64):
        product = objective.fisher_product(column)
        torch.testing.assert_close(product, hessian @ column, rtol=1e-7, atol=1e-9)


def test_divergence_is_torch_s_over_all_steps(
    policy: AdaptablePolicy, objective: SurrogateObjective
):
    torch.manual_seed(1)
    flat = (objective.start + 0.1 * torch.randn_like(objective.start)).requires_grad_()
    expected = divergence(policy, objective, flat)
    assert objective.evaluate(flat.detach())[1].item() == pytest.approx(expected.item())


def test_curvature_may_come_from_other_data():
    policy, other = make_policy(), MetaBatch([make_batch(2)], make_batch(3, steps=5))
    full = meta_objective(policy, DATA, acting(policy))
    less = meta_objective(policy, DATA, acting(policy), other)
    elsewhere = meta_objective(policy, other, acting(policy, other))
    vector = torch.arange(len(less.gradient), dtype=torch.float64)
    torch.testing.assert_close(less.gradient, full.gradient)
    torch.testing.assert_close(less.fisher_product(vector), elsewhere.fisher_product(vector))


def test_a_step_lowers_the_loss_within_the_trust_region(objective: SurrogateObjective):
    step = trust_region_step(objective, objective.start, TrustRegion())
    loss, kl = objective.evaluate(step.parameters)
    assert step.accepted
    assert loss < objective.loss
    assert 1e-4 < kl <= 0.01


def test_float32_networks_start_with_no_divergence():
    torch.manual_seed(0)
    policy = AdaptablePolicy(OBS, ACTIONS, (32, 32), context_dim=2)
    before, after = (TaskBatch(*(t.float() for t in make_batch(seed))) for seed in (0, 1))
    data = MetaBatch([before], after)
    objective = meta_objective(policy, data, acting(policy, data))
    assert objective.gradient.dtype == torch.float64
    assert objective.evaluate(objective.start)[1] < 1e-8


def test_data_of_other_policies_is_refused():
    policy = make_policy()
    old = acting(policy)
    with pytest.raises(ValueError, match="not 0"):
        meta_objective(policy, DATA, Gaussian(old.mean + 0.1, old.log_std))
