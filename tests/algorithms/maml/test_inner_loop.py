"""The batched inner loop against one task at a time, and its meta-gradient against differences."""

import pytest
import torch
from torch import Tensor
from torch.distributions import Normal
from torch.nn.functional import linear

from expedition.algorithms.maml.inner_loop import adapt, policy_loss
from expedition.algorithms.maml.policy import AdaptablePolicy
from expedition.algorithms.maml.task_batch import TaskBatch

TASKS, STEPS, OBS, ACTIONS = 3, 7, 4, 2

SETTINGS = [
    {},
    {"context_dim": 3},
    {"context_dim": 3, "adaptive_steps": True},
    {"context_dim": 3, "adaptive_steps": True, "adapted": "bias", "inner_lr": 1.0},
    {"activation": "tanh", "adaptive_steps": True},
]


def make_policy(**settings: object) -> AdaptablePolicy:
    torch.manual_seed(0)
    policy = AdaptablePolicy(OBS, ACTIONS, (5, 6), **settings).double()
    with torch.no_grad():
        for parameter in policy.parameters():
            parameter += 0.1 * torch.randn_like(parameter)
    return policy


def make_batch(seed: int) -> TaskBatch:
    generator = torch.Generator().manual_seed(seed)

    def normal(*shape: int) -> Tensor:
        return torch.randn(*shape, generator=generator, dtype=torch.float64)

    mask = torch.ones(TASKS, STEPS, dtype=torch.float64)
    mask[1, 4:] = 0  # a task with fewer steps
    return TaskBatch(
        normal(TASKS, STEPS, OBS), normal(TASKS, STEPS, ACTIONS), normal(TASKS, STEPS), mask
    )


def slow_loss(policy: AdaptablePolicy, values: dict[str, Tensor], batch: TaskBatch, task: int):
    """One task's loss, written with torch's own linear layers and Normal."""
    count = int(batch.mask[task].sum())
    x = batch.obs[task, :count]
    if "context" in values:
        x = torch.cat((x, values["context"].expand(count, -1)), 1)
    for layer in range(policy.num_layers):
        x = linear(x, values[f"weight_{layer}"].T, values[f"bias_{layer}"][0])
        if layer < policy.num_layers - 1:
            x = torch.relu(x) if policy.activation == "relu" else torch.tanh(x)
    log_prob = Normal(x, values["log_std"][0].exp()).log_prob(batch.actions[task, :count]).sum(1)
    return -(batch.advantages[task, :count] * log_prob).mean()


def slow_adapt(policy: AdaptablePolicy, batches: list[TaskBatch], task: int) -> dict[str, Tensor]:
    values = policy.initial()
    for batch in batches:
        loss = slow_loss(policy, values, batch, task)
        names = policy.adapted
        gradients = torch.autograd.grad(loss, [values[n] for n in names], create_graph=True)
        values = dict(values)
        for name, gradient in zip(names, gradients, strict=True):
            values[name] = values[name] - policy.step_size(name) * gradient
    return values


def meta_loss(policy: AdaptablePolicy, batches: list[TaskBatch], after: TaskBatch) -> Tensor:
    return policy_loss(policy, adapt(policy, batches), after).mean()


@pytest.mark.parametrize("settings", SETTINGS)
@pytest.mark.parametrize("steps", [1, 2])
def test_batched_adaptation_and_meta_gradient_equal_one_task_at_a_time(
    settings: dict[str, object], steps: int
):
    policy = make_policy(**settings)
    batches, after = [make_batch(seed) for seed in range(steps)], make_batch(9)
    batched = adapt(policy, batches)
    one_by_one = [slow_adapt(policy, batches, task) for task in range(TASKS)]
    for name, value in batched.items():
        torch.testing.assert_close(value, torch.stack([each[name] for each in one_by_one]))
    slow = sum(slow_loss(policy, one_by_one[task], after, task) for task in range(TASKS)) / TASKS
    parameters = list(policy.parameters())
    expected = torch.autograd.grad(slow, parameters)
    actual = torch.autograd.grad(meta_loss(policy, batches, after), parameters)
    for ours, theirs in zip(actual, expected, strict=True):
        torch.testing.assert_close(ours, theirs)


@pytest.mark.parametrize("settings", SETTINGS)
def test_meta_gradient_equals_finite_differences(settings: dict[str, object]):
    policy = make_policy(**settings)
    batches, after = [make_batch(0)], make_batch(9)
    gradients = torch.autograd.grad(meta_loss(policy, batches, after), list(policy.parameters()))
    epsilon = 1e-6
    for parameter, gradient in zip(policy.parameters(), gradients, strict=True):
        flat = parameter.data.view(-1)
        for index in range(0, flat.numel(), 5):
            losses = []
            for sign in (1, -1):
                flat[index] += sign * epsilon
                losses.append(meta_loss(policy, batches, after).item())
                flat[index] -= sign * epsilon
            numeric = (losses[0] - losses[1]) / (2 * epsilon)
            assert gradient.view(-1)[index].item() == pytest.approx(numeric, rel=1e-4, abs=1e-7)


def test_a_padded_step_changes_nothing():
    policy, batch = make_policy(), make_batch(0)
    batch.obs[1, 4:], batch.advantages[1, 4:] = 1e3, -1e3
    batch.actions[1, 4:] = 50.0
    padded = adapt(policy, [batch])["weight_0"]
    torch.testing.assert_close(padded, adapt(policy, [make_batch(0)])["weight_0"])


def test_only_the_context_moves_where_the_bias_alone_is_adapted():
    policy = make_policy(context_dim=3, adapted="bias")
    after = adapt(policy, [make_batch(0)])
    before = policy.stacked(TASKS)
    moved = {name for name in after if not torch.equal(after[name], before[name])}
    assert moved == {"context"}


def test_without_a_graph_the_numbers_are_the_same():
    policy, batches = make_policy(context_dim=2, adaptive_steps=True), [make_batch(0)]
    with torch.no_grad():
        plain = adapt(policy, batches)
    for name, value in adapt(policy, batches).items():
        assert not plain[name].requires_grad
        torch.testing.assert_close(plain[name], value.detach())


def test_given_meta_parameters_replace_the_policy_s_own():
    policy, batches = make_policy(adaptive_steps=True), [make_batch(0)]
    doubled = {name: 2 * value.detach() for name, value in policy.named_parameters()}
    with torch.no_grad():
        replaced = adapt(policy, batches, doubled)
        for parameter in policy.parameters():
            parameter *= 2
        expected = adapt(policy, batches)
    for name, value in replaced.items():
        torch.testing.assert_close(value, expected[name])
