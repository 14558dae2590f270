import gymnasium as gym
import numpy as np
import pytest

import expedition.envs  # noqa: F401

RING, POINTS = "expedition/Ring-v0", "expedition/PointGoals-v0"


def walk(env, actions):
    env.reset(seed=0)
    return [env.step(np.array(action, np.float32)) for action in actions]


def test_a_ring_step_moves_by_a_clipped_action():
    env = gym.make(RING)
    (first, *_), (second, *_) = walk(env, [[1.0, -0.5], [-3.0, 0.25]])
    np.testing.assert_allclose(first, [0.04, -0.02])
    np.testing.assert_allclose(second, [0.0, -0.01])


@pytest.mark.parametrize(
    ("reward", "expected"),
    [("dense", [-0.96, -0.92, -0.32, -0.28]), ("sparse", [-1, -1, -1, -0.28])],
)
def test_ring_rewards(reward, expected):
    env = gym.make(RING, reward=reward, task=[1.0, 0.0])
    steps = walk(env, [[1.0, 0.0]] * 18)
    found = [steps[i][1] for i in (0, 1, 16, 17)]
    np.testing.assert_allclose(found, expected)
    assert [step[4]["reached"] for step in steps] == [False] * 17 + [True]


def test_ring_tasks_are_uniform_on_the_unit_circle():
    env = gym.make(RING).unwrapped
    goals = env.tasks("train")
    np.testing.assert_allclose(np.hypot(*goals.T), 1.0)
    # Whole circle: the mean direction of 100 uniform angles exceeds 0.25 with probability 0.002.
    assert np.hypot(*goals.mean(axis=0)) < 0.25
    assert {tuple(quadrant) for quadrant in np.sign(goals)} == {(1, 1), (1, -1), (-1, 1), (-1, -1)}


def test_white_noise_stays_near_the_start_of_the_ring():
    env = gym.make_vec(RING, 1000)
    env.reset(seed=0)
    rng = np.random.default_rng(0)
    for _ in range(50):
        observations, *_, infos = env.step(rng.standard_normal((1000, 2)))
    finals = np.stack(infos["final_obs"])
    # 0.04 sqrt(50 E[clip(N)^2]) = 0.04 sqrt(50 * 0.516) = 0.203
    np.testing.assert_allclose(finals.std(axis=0), 0.203, rtol=0.1)
    assert not infos["final_info"]["reached"].any()
    assert observations.tolist() == [[0.0, 0.0]] * 1000


@pytest.mark.parametrize(
    ("reward", "expected"), [("dense", [-0.3, -0.2, -0.1]), ("sparse", [0.0, 0.8, 0.9])]
)
def test_point_rewards(reward, expected):
    env = gym.make(POINTS, reward=reward, task=[0.4, 1e-9])
    np.testing.assert_allclose([s[1] for s in walk(env, [[1.0, 0.0]] * 3)], expected, atol=1e-8)


def test_an_episode_in_the_square_ends_at_its_goal():
    env = gym.make(POINTS, task=[0.305, -0.105])
    actions = [[1.0, 0.0], [1.0, 0.0], [1.0, -1.0], [0.04, 0.04]]
    steps = walk(env, actions)
    assert [step[2] for step in steps] == [False, False, True, True]
    env = gym.make(POINTS, goals="half_circle", task=[0.305, -0.105])
    assert not any(step[2] for step in walk(env, actions))


def test_point_tasks():
    square = gym.make(POINTS).unwrapped.tasks("train")
    assert np.abs(square).max() <= 0.5
    np.testing.assert_allclose(square.std(axis=0), 1 / np.sqrt(12), rtol=0.15)
    arc = gym.make(POINTS, goals="half_circle").unwrapped.tasks("validation")
    np.testing.assert_allclose(np.hypot(*arc.T), 1.0)
    assert (arc[:, 1] >= 0.0).all()
    assert arc[:, 0].min() < -0.8
    assert arc[:, 0].max() > 0.8


def test_wrong_arguments_are_named():
    with pytest.raises(ValueError, match="reward must be one of"):
        gym.make(RING, reward="shaped")
    with pytest.raises(ValueError, match="goals must be one of"):
        gym.make(POINTS, goals="circle")
    with pytest.raises(ValueError, match=r"expected 1 task\(s\) of 2 finite numbers"):
        gym.make(RING, task=[1.0, 0.0, 0.0])
