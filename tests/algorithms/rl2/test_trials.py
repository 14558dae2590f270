"""Trials: hidden state carried across episodes and reset between trials, sums by episode."""

from typing import Any

import gymnasium as gym
import numpy as np
import pytest
import torch
from gymnasium.vector import AutoresetMode, SyncVectorEnv

from expedition.algorithms.rl2.policy import PreviousStep, RecurrentPolicy
from expedition.algorithms.rl2.trials import Trials, run_trials


class Countdown(gym.Env):
    """Episodes of ``length`` steps; observes the step, rewards the action's sum."""

    def __init__(self, length: int) -> None:
        self.length = length
        self.observation_space = gym.spaces.Box(-10, 10, (1,), np.float32)
        self.action_space = gym.spaces.Box(-1, 3, (2,), np.float32)

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None):
        super().reset(seed=seed)
        self.step_count = 0
        return np.zeros(1, np.float32), {"reached": False}

    def step(self, action: np.ndarray):
        self.step_count += 1
        done = self.step_count == self.length
        obs = np.full(1, self.step_count, np.float32)
        return obs, float(action.sum()), done, False, {"reached": self.step_count == 2}


@pytest.fixture
def env() -> SyncVectorEnv:
    makers = [lambda length=length: Countdown(length) for length in (2, 3)]
    return SyncVectorEnv(makers, copy=False, autoreset_mode=AutoresetMode.SAME_STEP)


def make_policy() -> RecurrentPolicy:
    torch.manual_seed(0)
    return RecurrentPolicy(obs_dim=1, action_dim=2, hidden_size=6)


def run(env: SyncVectorEnv, policy: RecurrentPolicy, seed: int = 0) -> Trials:
    return run_trials(env, policy, 3, (0, 1), torch.Generator().manual_seed(seed))


def test_a_trial_is_its_episodes_in_order_and_then_masked(env: SyncVectorEnv):
    trials = run(env, make_policy())
    assert trials.obs[:, 0, 0].tolist()[:6] == [0, 1, 0, 1, 0, 1]
    assert trials.obs[:, 1, 0].tolist() == [0, 1, 2] * 3
    assert trials.mask[:, 0].tolist() == [1] * 6 + [0] * 3
    assert trials.ends[:, 0].tolist() == [0, 1] * 3 + [0] * 3
    assert trials.ends[:, 1].tolist() == [0, 0, 1] * 3
    assert trials.reached[:, 0].tolist() == [0, 1] * 3 + [0] * 3
    assert trials.reached[:, 1].tolist() == [0, 1, 0] * 3


def test_actions_are_clipped_and_scaled_to_the_environment_s_bounds(env: SyncVectorEnv):
    trials = run(env, make_policy())
    expected = (1 + 2 * trials.actions.clamp(-1, 1)).sum(-1) * trials.mask
    torch.testing.assert_close(trials.rewards, expected)


def test_sums_are_over_each_episode(env: SyncVectorEnv):
    trials = run(env, make_policy())
    returns = trials.episode_sums(trials.rewards)
    assert returns.shape == (3, 2)
    for episode in range(3):
        first = trials.rewards[2 * episode : 2 * episode + 2, 0].sum()
        second = trials.rewards[3 * episode : 3 * episode + 3, 1].sum()
        torch.testing.assert_close(returns[episode], torch.stack((first, second)))
    assert trials.episode_sums(trials.reached).tolist() == [[1, 1]] * 3


def test_one_pass_over_a_trial_gives_the_means_that_acted(env: SyncVectorEnv):
    """So the hidden state went from episode to episode, and inputs are those that were fed."""
    policy = make_policy()
    trials = run(env, policy)
    means, _ = policy(trials.inputs, policy.initial_state(2))
    inside = trials.mask.bool()
    torch.testing.assert_close(means[inside], trials.means[inside])


def test_an_episode_remembers_the_one_before_in_its_trial(env: SyncVectorEnv):
    policy = make_policy()
    trials = run(env, policy)
    start = 3  # of trial 1's second episode, whose observation is that of the first one
    assert trials.obs[start, 1] == trials.obs[0, 1]
    afresh = policy.act(trials.obs[start], PreviousStep.none(2, 2), policy.initial_state(2), None)[
        0
    ]
    assert (trials.means[start, 1] - afresh[1]).abs().max() > 1e-4


def test_hidden_state_does_not_leak_into_the_next_trial(env: SyncVectorEnv):
    policy = make_policy()
    first, second = run(env, policy), run(env, policy)
    for ours, again in zip(first, second, strict=True):
        assert torch.equal(ours, again)
