import math

import gymnasium as gym
import numpy as np
import pytest

from expedition.envs import conformance
from expedition.envs.headings import HeadingTracker
from expedition.envs.point_run import PointRunEnv

ID = "expedition/PointRun-v0"


def run(env, action, steps):
    env.reset(seed=0)
    return [env.step(np.array(action, np.float32)) for _ in range(steps)]


def test_velocity_and_position_follow_their_recursions():
    steps = run(PointRunEnv(), (1.0, -0.5), 3)
    v = np.array([0.1, 0.195, 0.28525])  # v <- 0.95 v + 0.1
    x = 0.1 * np.cumsum(v)
    for (observation, reward, terminated, truncated, info), speed, place in zip(
        steps, v, x, strict=True
    ):
        np.testing.assert_allclose(observation, [place, -place / 2, speed, -speed / 2])
        assert reward == pytest.approx(speed * math.sqrt(1.25))
        assert (terminated, truncated, info) == (False, False, {})


def test_the_velocity_tends_to_2_and_the_horizon_is_200():
    steps = run(gym.make(ID), (5.0, 0.0), 200)  # clipped to 1
    assert steps[-1][0][2] == pytest.approx(2.0 * (1.0 - 0.95**200))
    assert [step[3] for step in steps] == [False] * 199 + [True]


def test_walls_stop_and_take_the_speed_across():
    steps = run(PointRunEnv(1.0), (0.0, 1.0), 40)
    observations = np.array([step[0] for step in steps])
    rewards = np.array([step[1] for step in steps])
    assert observations[:, 1].max() == 0.5
    hit = int(np.argmax(observations[:, 1] == 0.5))
    assert observations[hit - 1, 3] > 0.4
    np.testing.assert_array_equal(observations[hit:, 1], 0.5)
    np.testing.assert_array_equal(observations[hit:, 3], 0.0)
    np.testing.assert_array_equal(rewards[hit:], 0.0)


def test_forward_pays_for_the_velocity_along_x():
    assert run(PointRunEnv(reward="forward"), (-1.0, 1.0), 1)[0][1] == pytest.approx(-0.1)
    assert run(PointRunEnv(), (-1.0, 1.0), 1)[0][1] == pytest.approx(0.1 * math.sqrt(2.0))


def test_headings_of_four_runs():
    envs = gym.make_vec(ID, 4, max_episode_steps=20)
    envs.reset(seed=0)
    tracker = envs.unwrapped.coverage_tracker()
    actions = np.array([[1, 0], [-1, 0], [0, 1], [0, 1]], dtype=np.float32)
    for _ in range(20):
        observations, _, _, truncations, infos = envs.step(actions)
        reached = np.stack(infos["final_obs"]) if truncations.any() else observations
        tracker.update(reached[None], truncations[None])
    found = tracker.metrics()
    assert found["heading_entropy"] == pytest.approx(1.5 * math.log(2.0))  # 1/4, 1/4, 1/2
    assert found["resultant_length"] == pytest.approx(0.5)  # (0, 2) / 4
    last = tracker.arrays()["paths"][0, :, -1]
    assert found["distance"] == pytest.approx(np.hypot(*last.T).mean())
    assert sorted(np.round(np.degrees(np.arctan2(last[:, 1], last[:, 0])))) == [0, 90, 90, 180]


def test_headings_near_an_axis_share_a_bin():
    tracker = HeadingTracker((0, 1))
    angles = np.radians([-22.0, 0.0, 22.0, 23.0])
    states = np.stack([np.cos(angles), np.sin(angles)], axis=-1)[:, None]
    tracker.update(states, np.ones((4, 1), dtype=bool))
    p = np.array([3, 1]) / 4
    assert tracker.metrics()["heading_entropy"] == pytest.approx(-(p * np.log(p)).sum())


def test_hidden_positions_are_summed_up_from_velocities():
    tracker = HeadingTracker((2, 3), time_step=0.1)
    env = PointRunEnv()
    observations = np.array([step[0] for step in run(env, (0.3, 1.0), 50)])
    tracker.update(observations[:, None], (np.arange(50) == 49)[:, None])
    np.testing.assert_allclose(tracker.arrays()["paths"][0, 0, 1:], observations[:, :2])


def test_a_stride_thins_paths_and_keeps_their_ends():
    tracker = HeadingTracker((0, 1), stride=4)
    places = np.stack([np.arange(1.0, 11.0), np.zeros(10)], axis=-1)
    tracker.update(places[:, None], (np.arange(10) == 9)[:, None])
    assert tracker.arrays()["paths"][0, 0, :, 0].tolist() == [0.0, 4.0, 8.0, 10.0]


def test_a_hallway_conforms():
    conformance.check(ID, width=0.5, reward="forward")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"width": 0.0}, "width must be positive or None, got 0.0"),
        ({"reward": "height"}, "reward must be one of .*, got 'height'"),
    ],
)
def test_wrong_arguments(arguments, message):
    with pytest.raises(ValueError, match=message):
        PointRunEnv(**arguments)
