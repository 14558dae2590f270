import pickle

import gymnasium as gym
import numpy as np
import pytest
from substep_reference import wall_distance

from expedition.envs.navigation import HallGeometry, NavigationEnv

ID = "expedition/Navigation-v0"


def place(env, x, y, velocity=(0.0, 0.0)):
    """Put the agent somewhere."""
    state = env.unwrapped.state_dict()
    state["world"] = {
        "position": np.array([[x], [y]], dtype=float),
        "velocity": np.array(velocity, dtype=float)[:, None],
    }
    env.unwrapped.load_state_dict(state)


def test_spaces_and_start():
    env = gym.make(ID, halls=5, hall_length=20.0)
    assert env.observation_space == gym.spaces.Box(-22.0, 22.0, (2,), np.float64)
    assert env.action_space == gym.spaces.Box(-1.0, 1.0, (2,), np.float32)
    observation, info = env.reset(seed=0)
    assert observation.tolist() == [0.0, 0.0]
    assert info == {}


def test_the_velocity_is_zeroed_at_reset():
    env = gym.make(ID)
    env.reset()
    for _ in range(5):
        env.step(np.array([1.0, 0.0], np.float32))
    env.reset()
    observation, *_ = env.step(np.zeros(2, np.float32))
    assert observation.tolist() == [0.0, 0.0]


@pytest.mark.parametrize(("halls", "goals"), [(3, None), (7, None), (5, [1, 3])])
def test_reward_is_shared_between_goals_and_paid_inside_their_discs(halls, goals):
    env = NavigationEnv(halls, 10.0, goals)
    env.reset()
    rewarded = range(halls) if goals is None else goals
    for hall, direction in enumerate(env.geometry.directions):
        for radius, inside in ((10.99, False), (11.01, True), (11.3, True)):
            place(env, *(radius * direction))
            _, reward, terminated, truncated, _ = env.step(np.zeros(2))
            assert reward == (1.0 / len(rewarded) if inside and hall in rewarded else 0.0)
            assert not terminated
            assert not truncated


def test_actions_are_clipped():
    env = NavigationEnv()
    env.reset()
    far = env.step(np.array([5.0, -3.0]))[0]
    env.reset()
    assert np.array_equal(env.step(np.array([1.0, -1.0]))[0], far)


def test_the_horizon_truncates():
    env = gym.make(ID)
    env.reset(seed=0)
    flags = [env.step(env.action_space.sample())[2:4] for _ in range(100)]
    assert flags == [(False, False)] * 99 + [(False, True)]
    short = gym.make(ID, max_episode_steps=3)
    short.reset()
    assert [short.step(np.zeros(2, np.float32))[3] for _ in range(3)] == [False, False, True]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"halls": 2}, "halls must be an integer from 3 to 12, got 2"),
        ({"halls": 13}, "got 13"),
        ({"halls": 3.5}, "got 3.5"),
        ({"hall_length": 1.0}, "hall_length must be finite and at least 2.0, got 1.0"),
        ({"hall_length": float("inf")}, "got inf"),
        ({"goals": []}, "at least one"),
        ({"goals": [0, 0]}, "distinct hall indices from 0 to 2"),
        ({"goals": [3]}, "from 0 to 2"),
    ],
)
def test_arguments_out_of_range(arguments, message):
    with pytest.raises(ValueError, match=message):
        NavigationEnv(**arguments)


def test_an_action_that_is_not_a_number():
    env = NavigationEnv()
    env.reset()
    with pytest.raises(ValueError, match="actions must be numbers"):
        env.step(np.array([np.nan, 0.0]))


def test_the_environment_pickles_mid_episode():
    env = NavigationEnv(5)
    env.reset()
    for _ in range(10):
        env.step(np.array([0.7, 0.4]))
    copy = pickle.loads(pickle.dumps(env))
    action = np.array([0.2, -0.9])
    assert np.array_equal(copy.step(action)[0], env.step(action)[0])


def test_walls_are_convex_and_leave_the_halls_open():
    geometry = HallGeometry(5, 10.0)
    assert len(geometry.walls) == 10
    for wall in geometry.walls:
        edges = np.roll(wall, -1, axis=0) - wall
        turns = edges[:, 0] * np.roll(edges, -1, axis=0)[:, 1]
        turns -= edges[:, 1] * np.roll(edges, -1, axis=0)[:, 0]
        assert (turns > 0).all()
    # Halfway down a hall the sides are half a unit away, before the cap the cap is nearest.
    points = np.outer([7.0, 11.2], geometry.directions[2])[:, :].reshape(2, 2)
    nearest = np.min([wall_distance(wall, points)[0] for wall in geometry.walls], axis=0)
    np.testing.assert_allclose(nearest, [0.5, 0.3])
    np.testing.assert_allclose(geometry.clearance(points), [0.5, 0.3])


def test_frames_show_walls_floor_goals_and_the_agent():
    env = gym.make(ID, render_mode="rgb_array")
    env.reset()
    frame = env.render()
    assert frame.shape == (400, 400, 3)
    assert frame.dtype == np.uint8
    pixels = 400 / (2 * 12.0 * 1.05)

    def color(x, y):
        return frame[round(200 - y * pixels), round(200 + x * pixels)].tolist()

    assert color(0, 0) == [222, 94, 52]  # the agent
    assert color(7, 0) == [247, 246, 242]  # floor of hall 0
    assert color(7, 3) == [52, 58, 70]  # wall
    assert color(11.3, 0) == [129, 199, 132]  # goal
    for _ in range(8):
        env.step(np.array([1.0, 0.0], np.float32))
    frame = env.render()
    assert color(0, 0) != [222, 94, 52]
    assert color(8.234, 0) == [222, 94, 52]
    red, _, blue = color(5.5, 0)
    assert blue > red + 30  # the trail is blue


def test_no_frames_without_a_render_mode():
    env = NavigationEnv()
    env.reset()
    assert env.render() is None
