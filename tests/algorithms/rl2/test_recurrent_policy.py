"""What the recurrent policy is fed, and what its hidden state carries."""

import torch

from expedition.algorithms.rl2.policy import PreviousStep, RecurrentPolicy, policy_inputs


def make_policy() -> RecurrentPolicy:
    torch.manual_seed(0)
    return RecurrentPolicy(obs_dim=3, action_dim=2, hidden_size=8)


def test_inputs_are_observation_action_reward_and_end():
    previous = PreviousStep(torch.tensor([[4.0, 5.0]]), torch.tensor([6.0]), torch.tensor([1.0]))
    inputs = policy_inputs(torch.tensor([[1.0, 2.0, 3.0]]), previous)
    assert inputs.tolist() == [[1, 2, 3, 4, 5, 6, 1]]


def test_acting_step_by_step_equals_one_pass_over_time():
    policy = make_policy()
    inputs = torch.randn(5, 4, 7)
    means, last = policy(inputs, policy.initial_state(4))
    hidden = policy.initial_state(4)
    for t in range(5):
        previous = PreviousStep(inputs[t, :, 3:5], inputs[t, :, 5], inputs[t, :, 6])
        action, mean, hidden = policy.act(inputs[t, :, :3], previous, hidden, None)
        torch.testing.assert_close(mean, means[t])
        assert torch.equal(action, mean)
    torch.testing.assert_close(hidden, last)


def test_hidden_state_carries_a_reward_to_later_steps_of_its_own_trial_only():
    policy = make_policy()
    inputs = torch.zeros(6, 2, 7)
    rewarded = inputs.clone()
    rewarded[1, 0, 5] = 1.0  # trial 0 sees a reward once
    start = policy.initial_state(2)
    plain, seen = policy(inputs, start)[0], policy(rewarded, start)[0]
    assert (plain[1:, 0] - seen[1:, 0]).abs().amin() > 1e-6
    assert torch.equal(plain[0], seen[0])
    torch.testing.assert_close(plain[:, 1], seen[:, 1], rtol=0, atol=1e-7)


def test_a_trial_starts_from_zeros():
    policy = make_policy()
    assert torch.equal(policy.initial_state(3), torch.zeros(3, 8))
    previous = PreviousStep.none(3, 2)
    assert all(torch.equal(value, torch.zeros_like(value)) for value in previous)


def test_noise_has_the_policy_s_own_width():
    policy = make_policy()
    with torch.no_grad():
        policy.free_log_std.copy_(torch.tensor([0.3, 2.0]).log())
    obs, previous = torch.zeros(50_000, 3), PreviousStep.none(50_000, 2)
    generator = torch.Generator().manual_seed(0)
    action, mean, _ = policy.act(obs, previous, policy.initial_state(50_000), generator)
    std = (action - mean).std(0)
    torch.testing.assert_close(std, torch.tensor([0.3, 2.0]), rtol=0.02, atol=0)
