import gymnasium as gym
import numpy as np
import pytest

import expedition.envs  # noqa: F401
from expedition.envs import conformance
from expedition.envs.coverage import metric_names
from expedition.envs.reward_terms import reward_terms
from expedition.envs.snapshot import capture, restore

ID = "expedition/NoisyObservations-v0"


def pair(env_id, **kwargs):
    return gym.make(ID, env_id=env_id, **kwargs), gym.make(env_id)


def test_only_observations_differ_and_they_differ_by_the_noise():
    noisy, clean = pair("HalfCheetah-v5", noise_std=0.25)
    errors = [noisy.reset(seed=4)[0] - clean.reset(seed=4)[0]]
    clean.action_space.seed(0)
    for _ in range(300):
        action = clean.action_space.sample()
        found, expected = noisy.step(action), clean.step(action)
        errors.append(found[0] - expected[0])
        assert found[1:4] == expected[1:4]
        np.testing.assert_equal(found[4], expected[4])
    errors = np.array(errors)
    assert errors[0].all()  # starts are noisy, too
    assert errors.mean() == pytest.approx(0.0, abs=0.02)
    np.testing.assert_allclose(errors.std(axis=0), 0.25, rtol=0.2)
    assert errors.std() == pytest.approx(0.25, rel=0.04)
    # Neither over time nor between components.
    assert abs(np.corrcoef(errors[:-1].ravel(), errors[1:].ravel())[0, 1]) < 0.05
    assert np.abs(np.corrcoef(errors.T) - np.eye(17)).max() < 0.25


def test_noise_is_independent_of_the_start_drawn_from_the_same_seed():
    env = gym.make(ID, env_id="expedition/MultiGoal-v0")
    clean = gym.make("expedition/MultiGoal-v0")
    starts = np.array([clean.reset(seed=seed)[0] for seed in range(400)])
    noise = np.array([env.reset(seed=seed)[0] for seed in range(400)]) - starts
    assert abs(np.corrcoef(starts.ravel(), noise.ravel())[0, 1]) < 0.1
    assert noise.std() == pytest.approx(0.1, rel=0.1)


def test_the_default_is_a_tenth_on_a_hopper():
    env = gym.make(ID)
    assert env.observation_space == gym.make("Hopper-v5").observation_space
    clean = gym.make("Hopper-v5")
    errors = [env.reset(seed=s)[0] - clean.reset(seed=s)[0] for s in range(100)]
    assert np.std(errors) == pytest.approx(0.1, rel=0.1)


def test_space_and_type_of_observations():
    env = gym.make(ID, env_id="Pendulum-v1")
    assert env.observation_space == gym.spaces.Box(-np.inf, np.inf, (3,), np.float32)
    observation, _ = env.reset(seed=0)
    assert observation.dtype == np.float32
    assert env.action_space == gym.make("Pendulum-v1").action_space


def test_no_noise_is_no_difference():
    noisy, clean = pair("expedition/PointRun-v0", noise_std=0.0, width=1.0)
    noisy.reset(seed=0)
    clean = gym.make("expedition/PointRun-v0", width=1.0)
    clean.reset(seed=0)
    for _ in range(20):
        action = np.array([0.3, 0.9], np.float32)
        np.testing.assert_array_equal(noisy.step(action)[0], clean.step(action)[0])


def test_the_horizon_metrics_and_reward_terms_are_those_of_the_environment_observed():
    env = gym.make(ID, env_id="expedition/DClaw-v0")
    env.reset(seed=0)
    flags = [env.step(np.zeros(9, np.float32))[3] for _ in range(50)]
    assert flags == [False] * 49 + [True]
    assert reward_terms(env) == ("pose", "speed")
    claw = metric_names("expedition/DClaw-v0")
    assert metric_names(ID, {"env_id": "expedition/DClaw-v0"}) == claw
    assert metric_names(ID) == []


def test_a_snapshot_holds_the_noise_and_the_environment_observed():
    first, second = (gym.make(ID, env_id="Walker2d-v5") for _ in range(2))
    first.reset(seed=0)
    second.reset(seed=1)
    for _ in range(5):
        first.step(first.action_space.sample())
    restore(second, capture(first))
    for _ in range(20):
        action = np.full(6, 0.3, np.float32)
        np.testing.assert_array_equal(first.step(action)[0], second.step(action)[0])


def test_it_conforms_around_environments_of_other_kinds():
    conformance.check(ID, env_id="expedition/MultiGoal-v0")
    conformance.check(ID, env_id="Reacher-v5", noise_std=0.5)


def test_wrong_arguments():
    with pytest.raises(ValueError, match=r"noise_std must not be negative, got -0\.1"):
        gym.make(ID, noise_std=-0.1)
    with pytest.raises(ValueError, match="FrozenLake-v1 has Discrete"):
        gym.make(ID, env_id="FrozenLake-v1")
