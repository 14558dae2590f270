import gymnasium as gym
import numpy as np
import pytest

import expedition.envs  # noqa: F401
from expedition.envs.mujoco_world import load_model

ID = "expedition/Wheeled-v0"


def placed(position, **kwargs):
    """A robot at rest somewhere in the plane."""
    env = gym.make(ID, **kwargs)
    env.reset(seed=0)
    robots = env.unwrapped.world._robots
    robots.positions[:], robots.velocities[:] = 0.0, 0.0
    robots.positions[0, :2] = position
    return env


def test_masses_and_inertias_are_those_of_the_original():
    model = load_model("wheeled")
    np.testing.assert_allclose(model.body_mass[1:], [4.989, 2.612, 2.612])
    np.testing.assert_allclose(model.body_inertia[1], [0.0202, 0.0409, 0.0541], rtol=5e-3)
    np.testing.assert_allclose(model.body_inertia[2], [0.00837, 0.00837, 0.01306], rtol=1e-3)


def test_full_torque_accelerates_as_the_original():
    env = placed([0.0, 0.0])
    x = [env.step(np.ones(2, np.float32))[0][0] for _ in range(200)]
    assert [x[49], x[99], x[199]] == pytest.approx([0.38, 1.55, 6.25], abs=0.006)


def test_opposite_torques_turn_on_the_spot():
    env = placed([0.0, 0.0])
    for _ in range(100):
        observation = env.step(np.array([1.0, -1.0], np.float32))[0]
    assert np.abs(observation[:2]).max() < 0.02
    assert abs(observation[3]) > 1.0


@pytest.mark.parametrize(
    ("position", "reward", "expected"),
    [
        # -|p - (2, 0)| - 0.05 (1 + 1): the torques are 2 * 0.5 = 1
        ([0.5, 2.0], "dense", -2.5 - 0.1),
        ([0.5, 2.0], "sparse", -2.0 - 0.1),
        ([1.7, 0.4], "dense", -0.5 - 0.1),
        ([1.7, 0.4], "sparse", -0.5 - 0.1),
    ],
)
def test_rewards(position, reward, expected):
    env = placed(position, reward=reward, task=[2.0, 0.0])
    _, found, terminated, _, info = env.step(np.array([0.5, -0.5], np.float32))
    assert found == pytest.approx(expected, abs=2e-3)
    assert info["reached"] == (expected > -1.0)
    assert not terminated


def test_tasks_are_on_the_upper_half_circle():
    env = gym.make(ID).unwrapped
    for split in ("train", "validation"):
        goals = env.tasks(split)
        assert goals.shape == (100, 2)
        np.testing.assert_allclose(np.hypot(*goals.T), 2.0)
        angles = np.sort(np.arctan2(goals[:, 1], goals[:, 0]))
        assert angles[0] >= 0.0
        gaps = np.diff(np.concatenate([[0.0], angles, [np.pi]]))
        assert np.degrees(gaps).max() < 15.0


def test_starts_have_the_original_noise():
    env = gym.make_vec(ID, 2000)
    starts = env.reset(seed=0)[0]
    np.testing.assert_allclose(starts[:, :6].std(axis=0), 0.01, rtol=0.08)
    np.testing.assert_allclose(starts[:, 6:].std(axis=0), 0.1, rtol=0.08)


def test_a_frame_shows_the_car_and_its_goal():
    env = gym.make(ID, render_mode="rgb_array", task=[0.0, 2.0])
    env.reset(seed=0)
    frame = env.render().astype(int)
    red, green = frame[..., 0] - frame[..., 1], frame[..., 1] - frame[..., 0]
    assert (red > 60).sum() > 30
    car = np.argwhere(red > 60).mean(axis=0)
    goal = np.argwhere(green > 40).mean(axis=0)
    assert goal[0] < car[0] - 80  # y points up
    assert abs(goal[1] - car[1]) < 6


def test_white_noise_reaches_no_goal_and_pays_for_its_torques():
    env = gym.make_vec(ID, 100, reward="sparse")
    goals = env.unwrapped.tasks("validation")
    env.unwrapped.set_tasks(goals)
    env.reset(seed=0)
    tracker = env.unwrapped.coverage_tracker()
    rng = np.random.default_rng(0)
    returns = np.zeros(100)
    for _ in range(200):
        _, rewards, _, ends, infos = env.step(rng.standard_normal((100, 2)))
        returns += rewards
    tracker.update(np.stack(infos["final_obs"])[None], ends[None])
    # E[clip(N, -1, 1)^2] = 0.516: two torques of twice that action, at 0.05 of their squares.
    assert returns.mean() == pytest.approx(-200 * (2.0 + 0.05 * 2 * 4 * 0.516), abs=0.5)
    assert tracker.metrics()["goals_reached"] == 0.0
