"""The outer objective: its gradient, its curvature and its KL, against slower definitions."""

import pytest
import torch
from torch import Tensor
from torch.distributions import Normal, kl_divergence

from expedition.algorithms.maml.inner_loop import TaskBatch, adapt
from expedition.algorithms.maml.meta_objective import MetaObjective, flattened, unflattened
from expedition.algorithms.maml.policy import AdaptablePolicy

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


@pytest.fixture(params=SETTINGS)
def objective(request: pytest.FixtureRequest) -> MetaObjective:
    return MetaObjective(make_policy(**request.param), [make_batch(0)], make_batch(1))


def test_nothing_has_moved_at_the_old_parameters(objective: MetaObjective):
    loss, divergence = objective.evaluate(flattened(objective.meta))
    assert loss == pytest.approx(objective.loss)
    assert abs(divergence) < 1e-15
    after = objective.after
    assert loss == pytest.approx(-after.task_means(after.advantages).mean().item())


def test_gradient_equals_finite_differences(objective: MetaObjective):
    flat, epsilon = flattened(objective.meta), 1e-6
    for index in range(0, len(flat), 3):
        change = torch.zeros_like(flat)
        change[index] = epsilon
        above, below = (objective.evaluate(flat + sign * change)[0] for sign in (1, -1))
        numeric = (above - below) / (2 * epsilon)
        assert objective.gradient[index].item() == pytest.approx(numeric, rel=1e-4, abs=1e-7)


def test_curvature_product_equals_the_explicit_hessian(objective: MetaObjective):
    """Hessian of the KL by autograd, through the inner step, column by column."""
    policy, after = objective.policy, objective.after
    old = [value.detach() for value in objective.old]

    def divergence(flat: Tensor) -> Tensor:
        adapted = adapt(policy, objective.before, unflattened(flat, objective.meta))
        new = Normal(policy.mean(adapted, after.obs), policy.log_std(adapted).exp())
        kl = kl_divergence(Normal(old[0], old[1].exp()), new).sum(-1)
        return (kl * after.mask).sum() / after.mask.sum()

    hessian = torch.autograd.functional.hessian(divergence, flattened(objective.meta))
    for column in torch.eye(len(hessian), dtype=torch.float64):
        torch.testing.assert_close(
            objective.fisher_product(column), hessian @ column, rtol=1e-7, atol=1e-9
        )


def test_divergence_is_torch_s_over_all_steps(objective: MetaObjective):
    torch.manual_seed(1)
    flat = flattened(objective.meta) + 0.1 * torch.randn(len(flattened(objective.meta)))
    policy, after = objective.policy, objective.after
    meta = unflattened(flat, objective.meta)
    adapted = adapt(policy, objective.before, meta, differentiable=False)
    new = Normal(policy.mean(adapted, after.obs), policy.log_std(adapted).exp())
    kl = kl_divergence(Normal(objective.old.mean, objective.old.log_std.exp()), new).sum(-1)
    expected = (kl * after.mask).sum() / after.mask.sum()
    assert objective.evaluate(flat)[1] == pytest.approx(expected.item())


def test_curvature_may_come_from_other_data():
    policy = make_policy()
    less = MetaObjective(
        policy, [make_batch(0)], make_batch(1), [make_batch(2)], make_batch(3, steps=5)
    )
    other = MetaObjective(policy, [make_batch(2)], make_batch(3, steps=5))
    full = MetaObjective(policy, [make_batch(0)], make_batch(1))
    vector = torch.arange(len(less.gradient), dtype=torch.float64)
    torch.testing.assert_close(less.gradient, full.gradient)
    torch.testing.assert_close(less.fisher_product(vector), other.fisher_product(vector))


def test_float32_networks_start_with_no_divergence():
    torch.manual_seed(0)
    policy = AdaptablePolicy(OBS, ACTIONS, (32, 32), context_dim=2)
    single = [TaskBatch(*(t.float() for t in make_batch(seed))) for seed in (0, 1)]
    objective = MetaObjective(policy, single[:1], single[1])
    assert objective.gradient.dtype == torch.float64
    assert objective.evaluate(flattened(objective.meta))[1] < 1e-8
