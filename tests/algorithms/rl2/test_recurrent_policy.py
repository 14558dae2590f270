"""The recurrent policy in torch and in NumPy, and what its hidden state carries."""

from typing import Any

import numpy as np
import pytest
import torch

from expedition.algorithms.rl2.policy import ActingTrials, RecurrentPolicy

OBS, ACTIONS, STEPS, TASKS, COPIES = 3, 2, 6, 2, 2


def make_policy() -> RecurrentPolicy:
    torch.manual_seed(0)
    policy = RecurrentPolicy(OBS, ACTIONS, hidden_size=8)
    with torch.no_grad():
        for parameter in policy.parameters():
            parameter += 0.1 * torch.randn_like(parameter)
    return policy


def arrays(policy: RecurrentPolicy) -> dict[str, np.ndarray]:
    return {name: value.detach().numpy() for name, value in policy.named_parameters()}


def trial(seed: int = 0) -> dict[str, np.ndarray]:
    rng = np.random.default_rng(seed)
    shape = (STEPS, TASKS, COPIES)
    return {
        "obs": rng.normal(size=(*shape, OBS)).astype(np.float32),
        "actions": rng.normal(size=(*shape, ACTIONS)).astype(np.float32),
        "rewards": rng.normal(size=shape).astype(np.float32),
        "ends": (np.arange(STEPS) % 3 == 2)[:, None, None] * np.ones(shape, np.float32),
    }


def act(policy: RecurrentPolicy, steps: dict[str, np.ndarray]) -> np.ndarray:
    """Means ``[T, M, C, action]``, one step after the other."""
    acting = ActingTrials(arrays(policy), (TASKS, COPIES))
    means = []
    for t in range(STEPS):
        means.append(acting.means(steps["obs"][t]))
        acting.note(steps["actions"][t], steps["rewards"][t], steps["ends"][t])
    return np.stack(means)


def test_acting_step_by_step_equals_one_pass_over_the_trial():
    policy, steps = make_policy(), trial()
    before = np.concatenate(
        [steps["actions"], steps["rewards"][..., None], steps["ends"][..., None]], -1
    )
    before = np.concatenate([np.zeros_like(before[:1]), before[:-1]])
    inputs = np.concatenate([steps["obs"], before], -1).reshape(STEPS, TASKS * COPIES, -1)
    with torch.no_grad():
        expected = policy(torch.as_tensor(inputs)).reshape(STEPS, TASKS, COPIES, ACTIONS)
    np.testing.assert_allclose(act(policy, steps), expected.numpy(), atol=2e-6)


@pytest.mark.parametrize("what", ["actions", "rewards", "ends"])
def test_what_a_step_brought_is_known_to_every_later_step_of_its_trial_alone(what: str):
    policy, steps = make_policy(), trial()
    changed = {name: array.copy() for name, array in steps.items()}
    changed[what][1, 0, 1] += 1.0
    difference = np.abs(act(policy, changed) - act(policy, steps)).max(-1)
    assert (difference[:2] == 0).all()
    assert (difference[2:, 0, 1] > 1e-5).all()
    others = difference.copy()
    others[:, 0, 1] = 0
    assert others.max() == 0


def test_a_trial_starts_from_zeros():
    policy, steps = make_policy(), trial()
    np.testing.assert_array_equal(act(policy, steps), act(policy, steps))


def test_a_task_acts_alike_whatever_the_others_are():
    policy, steps = make_policy(), trial()
    both = act(policy, steps)
    acting = ActingTrials(arrays(policy), (1, COPIES))
    for t in range(STEPS):
        np.testing.assert_array_equal(acting.means(steps["obs"][t][:1]), both[t, :1])
        acting.note(steps["actions"][t][:1], steps["rewards"][t][:1], steps["ends"][t][:1])


def test_other_parameters_are_used_where_they_are_given():
    policy = make_policy()
    inputs = torch.randn(STEPS, 3, OBS + ACTIONS + 2)
    other: dict[str, Any] = {k: 0.5 * v.detach() for k, v in policy.named_parameters()}
    given = policy.distribution(other, inputs)
    policy.load_state_dict(other)
    torch.testing.assert_close(given.mean, policy(inputs))
    assert torch.equal(given.log_std, other["log_std"])


def test_first_weights_are_orthogonal_between_hidden_states():
    gates = RecurrentPolicy(OBS, ACTIONS, 8).gru.weight_hh_l0.detach().chunk(3)
    for gate in gates:
        torch.testing.assert_close(gate @ gate.T, torch.eye(8), atol=1e-5, rtol=0)
