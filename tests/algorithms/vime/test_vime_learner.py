"""VIME's learner: what its advantages are made of, and that tasks stay apart."""

from typing import Any

import gymnasium as gym
import numpy as np
import pytest

from expedition.algorithms.core.episodes import EpisodeBatch
from expedition.algorithms.core.linear_baseline import (
    fitted_baseline,
    returns_to_go,
    standardised,
)
from expedition.algorithms.trpo import TRPOConfig
from expedition.algorithms.vime import VIMEConfig

OBS, ACTIONS = 3, 2
SPACES = {
    "observation_space": gym.spaces.Box(-np.inf, np.inf, (OBS,), np.float32),
    "action_space": gym.spaces.Box(-1, 1, (ACTIONS,), np.float32),
}
LENGTHS = np.array([[7, 3, 5, 7], [2, 4, 1, 6]])
SMALL = {
    "hidden_sizes": (6, 6),
    "tasks": 2,
    "model_updates": 20,
    "min_pool_size": 10,
    "pool_size": 100,
}


def make(**settings: Any) -> Any:
    config = VIMEConfig().environment(**SPACES).debugging(seed=3)
    return config.training(**(SMALL | settings)).build_learner()


def episodes(learner: Any, seed: int = 0) -> EpisodeBatch:
    rng = np.random.default_rng(seed)
    mask = np.arange(7) < LENGTHS[..., None]
    obs = rng.normal(size=(*mask.shape, OBS)).astype(np.float32)
    policy = learner.own_module.policy
    parameters = {name: value.detach() for name, value in policy.named_parameters()}
    flat = learner.tensor(obs.reshape(2, -1, OBS), parameters["bias_0"].dtype)
    means = policy.mean(parameters, flat).reshape(*mask.shape, ACTIONS).numpy()
    std = np.exp(parameters["log_std"].numpy())[:, :, None]
    return EpisodeBatch(
        obs=obs,
        actions=(means + std * rng.normal(size=means.shape)).astype(np.float32),
        means=means.astype(np.float32),
        rewards=np.where(mask, rng.normal(size=mask.shape), 0.0),
        mask=mask,
        last_obs=rng.normal(size=(*mask.shape[:2], OBS)).astype(np.float32),
        reached=np.zeros(mask.shape[:2], bool),
    )


def test_there_is_no_bonus_in_the_first_iteration_and_one_after():
    learner = make()
    first = learner.learn(episodes(learner), 0, 0)
    assert first["intrinsic_reward"] == 0
    assert first["model_divergence"] > 0
    second = learner.learn(episodes(learner, 1), 0, 1)
    # The bonus is 1 in the median, times the coefficient; its mean is of that size.
    assert 0.3e-4 < second["intrinsic_reward"] < 1e-2
    assert not learner._bonus[~episodes(learner).mask].any()


@pytest.mark.parametrize("baseline_reward", ["extrinsic", "augmented"])
def test_advantages_are_returns_with_the_bonus_over_a_baseline(baseline_reward: str):
    learner = make(baseline_reward=baseline_reward, intrinsic_coeff=1.0)
    for seed in range(2):
        learner.learn(episodes(learner, seed), 0, 0)
    batch = episodes(learner, 1)
    rewards = batch.rewards + learner._bonus
    target = rewards if baseline_reward == "augmented" else batch.rewards
    baseline = fitted_baseline(batch.obs, returns_to_go(target, batch.mask, 0.99), batch.mask)
    returns = returns_to_go(rewards, batch.mask, 0.99)
    expected = standardised(np.where(batch.mask, returns - baseline, 0), batch.mask)
    np.testing.assert_allclose(learner.advantages(batch), expected, atol=1e-9)


def test_without_weight_on_the_bonus_it_is_trpo():
    ours = make(intrinsic_coeff=0.0)
    config = TRPOConfig().environment(**SPACES).debugging(seed=3)
    plain = config.training(hidden_sizes=(6, 6), tasks=2).build_learner()
    plain.own_module.policy.load_state_dict(ours.own_module.policy.state_dict())
    for seed in range(3):
        batch = episodes(ours, seed)
        first, second = ours.learn(batch, 0, 0), plain.learn(batch, 0, 0)
        assert {name: first[name] for name in second} == second


def test_a_restored_learner_continues_exactly():
    first, second = make(), make()
    for seed in range(2):
        first.learn(episodes(first, seed), 0, 0)
    second.set_state(first.get_state())
    batch = episodes(first, 5)
    for _ in range(2):
        assert first.learn(batch, 0, 0) == second.learn(batch, 0, 0)
        batch = episodes(first, 6)


def test_asking_for_the_policy_alone_leaves_the_models_out():
    learner = make()
    assert "information" in learner.get_state()
    assert "information" not in learner.get_state(components="rl_module")
