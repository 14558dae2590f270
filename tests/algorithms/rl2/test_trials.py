"""Trials: hidden state carried across episodes and reset between trials, sums by episode."""

from typing import Any

import gymnasium as gym
import numpy as np
import pytest
import torch
from gymnasium.vector import AutoresetMode, SyncVectorEnv

from expedition.algorithms.rl2.policy import RecurrentPolicy
from expedition.algorithms.rl2.trials import Trials, joined_trials, run_trials


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


def make_env(*lengths: int) -> SyncVectorEnv:
    makers = [lambda length=length: Countdown(length) for length in lengths]
    return SyncVectorEnv(makers, copy=False, autoreset_mode=AutoresetMode.SAME_STEP)


def make_policy() -> RecurrentPolicy:
    torch.manual_seed(0)
    return RecurrentPolicy(obs_dim=1, action_dim=2, hidden_size=6)


def run(policy: RecurrentPolicy, *lengths: int, seeds: tuple[int, ...] = (0, 1)) -> Trials:
    parameters = {name: value.detach().numpy() for name, value in policy.named_parameters()}
    generators = [np.random.default_rng(seed) for seed in seeds]
    return run_trials(make_env(*lengths), parameters, 3, generators)


@pytest.fixture
def trials() -> Trials:
    return run(make_policy(), 2, 3)


def test_a_trial_is_its_episodes_in_order_and_then_masked(trials: Trials):
    assert trials.obs[:6, 0, 0].tolist() == [0, 1, 0, 1, 0, 1]
    assert trials.obs[:, 1, 0].tolist() == [0, 1, 2] * 3
    assert trials.mask[:, 0].tolist() == [True] * 6 + [False] * 3
    assert trials.ends[:, 0].tolist() == [False, True] * 3 + [False] * 3
    assert trials.ends[:, 1].tolist() == [False, False, True] * 3
    assert trials.reached[:, 0].tolist() == [False, True] * 3 + [False] * 3


def test_actions_are_clipped_and_scaled_to_the_environment_s_bounds(trials: Trials):
    expected = (1 + 2 * np.clip(trials.actions, -1, 1)).sum(-1) * trials.mask
    np.testing.assert_allclose(trials.rewards, expected, rtol=1e-5)


def test_sums_are_over_each_episode(trials: Trials):
    for episode in range(3):
        first = trials.rewards[2 * episode : 2 * episode + 2, 0].sum()
        second = trials.rewards[3 * episode : 3 * episode + 3, 1].sum()
        np.testing.assert_allclose(trials.returns[episode], [first, second], rtol=1e-5)
    assert trials.successes.all()
    assert not run(make_policy(), 1, 1).successes.any()


def test_one_pass_over_a_trial_gives_the_means_that_acted(trials: Trials):
    """So the hidden state went from episode to episode, and inputs are those that were fed."""
    with torch.no_grad():
        means = make_policy()(torch.as_tensor(trials.inputs)).numpy()
    np.testing.assert_allclose(means[trials.mask], trials.means[trials.mask], atol=2e-6)


def test_an_episode_remembers_the_one_before_in_its_trial(trials: Trials):
    start = 3  # of trial 1's second episode, whose observation is that of the first one
    assert trials.obs[start, 1] == trials.obs[0, 1]
    assert np.abs(trials.means[start, 1] - trials.means[0, 1]).max() > 1e-4


def test_the_next_trial_remembers_nothing(trials: Trials):
    policy = make_policy()
    for _ in range(2):
        again = run(policy, 2, 3)
        for name, column in vars(trials).items():
            np.testing.assert_array_equal(getattr(again, name), column, err_msg=name)


def test_a_tasks_trials_do_not_depend_on_the_other_tasks(trials: Trials):
    alone = run(make_policy(), 2, seeds=(0,))
    for name, column in vars(alone).items():
        np.testing.assert_array_equal(getattr(trials, name)[:6, :1], column, err_msg=name)


def test_trials_side_by_side_are_padded_to_the_longest(trials: Trials):
    short = run(make_policy(), 1, seeds=(5,))
    both = joined_trials([short, trials])
    assert both.mask.sum(0).tolist() == [3, 6, 9]
    assert both.returns.shape == (3, 3)
    np.testing.assert_allclose(both.returns[:, 1:], trials.returns)
    np.testing.assert_array_equal(both.inputs[:3, :1], short.inputs)
