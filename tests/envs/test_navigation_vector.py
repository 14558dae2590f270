import time

import gymnasium as gym
import numpy as np
import pytest
from gymnasium.vector import AutoresetMode

from expedition.envs.navigation import NavigationVectorEnv

ID = "expedition/Navigation-v0"


def make_pair(n, **kwargs):
    vector = {"autoreset_mode": AutoresetMode.SAME_STEP}
    sync = gym.make_vec(ID, n, vectorization_mode="sync", vector_kwargs=vector, **kwargs)
    return gym.make_vec(ID, n, **kwargs), sync


def assert_same(found, expected):
    assert type(found) is type(expected)
    if isinstance(expected, dict):
        assert list(found) == list(expected)
        for key in expected:
            assert_same(found[key], expected[key])
    elif isinstance(expected, np.ndarray):
        assert found.dtype == expected.dtype
        assert found.shape == expected.shape
        if expected.dtype == object:
            for a, b in zip(found, expected, strict=True):
                assert_same(a, b)
        else:
            assert np.array_equal(found, expected)
    else:
        assert found == expected


@pytest.mark.parametrize(
    ("n", "kwargs"),
    [(1, {}), (5, {"halls": 7}), (33, {"halls": 5, "hall_length": 3.0, "goals": [1]})],
)
def test_equals_sync_vector_env_to_the_last_bit(n, kwargs):
    native, sync = make_pair(n, **kwargs)
    assert isinstance(native, NavigationVectorEnv)
    assert native.metadata["autoreset_mode"] is AutoresetMode.SAME_STEP
    for a, b in zip(native.reset(seed=1), sync.reset(seed=1), strict=True):
        assert_same(a, b)
    rng = np.random.default_rng(0)
    rewards = 0.0
    for t in range(220):
        if t % 5 == 0:
            actions = rng.uniform(-1.2, 1.2, (n, 2)).astype(np.float32)
        found, expected = native.step(actions), sync.step(actions)
        for a, b in zip(found, expected, strict=True):
            assert_same(a, b)
        assert bool(found[4]) == (t in (99, 199))
        rewards += found[1].sum()
    assert rewards > 0.0 or n == 1


def test_final_observation_is_the_last_of_the_episode():
    env = gym.make_vec(ID, 2, max_episode_steps=2)
    env.reset()
    actions = np.array([[1.0, 0.0], [0.0, 0.0]])
    env.step(actions)
    observations, _, terminations, truncations, infos = env.step(actions)
    assert observations.tolist() == [[0.0, 0.0], [0.0, 0.0]]
    assert infos["final_obs"][0][0] == pytest.approx(0.831, abs=1e-3)
    assert infos["final_obs"][1].tolist() == [0.0, 0.0]
    assert not terminations.any()
    assert truncations.all()


def test_observations_are_not_shared_with_the_environment():
    env = gym.make_vec(ID, 2)
    observations, _ = env.reset()
    observations += 5.0
    assert env.step(np.zeros((2, 2)))[0].tolist() == [[0.0, 0.0], [0.0, 0.0]]


def test_reset_mask_resets_some():
    env = gym.make_vec(ID, 3)
    env.reset()
    moved = env.step(np.ones((3, 2)))[0]
    mask = np.array([True, False, True])
    observations, _ = env.reset(options={"reset_mask": mask})
    assert observations[1].tolist() == moved[1].tolist()
    assert observations[mask].tolist() == [[0.0, 0.0], [0.0, 0.0]]
    truncations = [env.step(np.zeros((3, 2)))[3] for _ in range(100)]
    assert truncations[98].tolist() == [False, True, False]
    assert truncations[99].tolist() == [True, False, True]


def test_wrong_arguments():
    with pytest.raises(ValueError, match="num_envs and max_episode_steps must be at least 1"):
        NavigationVectorEnv(0)
    env = NavigationVectorEnv(3)
    with pytest.raises(ValueError, match="expected 3 seeds, got 2"):
        env.reset(seed=[1, 2])
    with pytest.raises(ValueError, match="reset_mask must hold 3 booleans"):
        env.reset(options={"reset_mask": np.ones(2, dtype=bool)})
    env.reset(seed=[1, 2, 3])
    with pytest.raises(ValueError, match=r"actions must have shape \(3, 2\), got \(2, 2\)"):
        env.step(np.zeros((2, 2)))
    with pytest.raises(ValueError, match="actions must be numbers"):
        env.step(np.full((3, 2), np.nan))


def test_frames_of_every_agent_and_their_trails():
    env = gym.make_vec(ID, 2, render_mode="rgb_array")
    env.reset()
    for _ in range(5):
        env.step(np.array([[1.0, 0.0], [0.0, 0.0]]))
    moved, still = env.render()
    single = gym.make(ID, render_mode="rgb_array")
    single.reset()
    assert np.array_equal(still, single.render())
    for _ in range(5):
        single.step(np.array([1.0, 0.0], np.float32))
    assert np.array_equal(moved, single.render())


def test_steps_a_second():
    # A floor far below the usual speed: it fails when the fast path is lost, not on a busy machine.
    env = gym.make_vec(ID, 64)
    env.reset()
    actions = np.random.default_rng(0).uniform(-1.0, 1.0, (200, 64, 2))
    best = np.inf
    for _ in range(5):
        start = time.process_time()
        for action in actions:
            env.step(action)
        best = min(best, time.process_time() - start)
    assert actions.size / 2 / best > 100_000
