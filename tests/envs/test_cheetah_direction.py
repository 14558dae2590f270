import gymnasium as gym
import mujoco
import numpy as np
import pytest

import expedition.envs  # noqa: F401

ID = "expedition/HalfCheetahDirection-v0"


def rolled(direction, steps=30, **kwargs):
    env = gym.make(ID, task=[direction], **kwargs)
    env.reset(seed=0)
    env.action_space.seed(0)
    actions = [env.action_space.sample() for _ in range(steps)]
    return env, actions, [env.step(action) for action in actions]


def test_the_two_directions_differ_in_the_sign_of_the_speed_alone():
    _, actions, forwards = rolled(1.0)
    _, _, backwards = rolled(-1.0)
    for action, one, other in zip(actions, forwards, backwards, strict=True):
        np.testing.assert_array_equal(one[0], other[0])
        assert one[1] + other[1] == pytest.approx(-0.1 * (action**2).sum())
        assert one[4]["reached"] != other[4]["reached"]


def test_speed_is_that_of_the_centre_of_mass():
    env, actions, steps = rolled(1.0)
    model = env.unwrapped.world._cheetahs.model
    data = mujoco.MjData(model)
    observation, reward = steps[-1][:2]
    data.qpos[1:], data.qvel[:] = observation[:8], observation[8:17]
    mujoco.mj_forward(model, data)
    jacobian = np.zeros((3, model.nv))
    mujoco.mj_jacSubtreeCom(model, data, jacobian, 1)
    speed = (jacobian @ data.qvel)[0]
    assert reward == pytest.approx(speed - 0.05 * (actions[-1] ** 2).sum())


def test_frame_skip_repeats_the_action():
    fine = gym.make(ID)
    coarse = gym.make(ID, frame_skip=5)
    fine.reset(seed=0)
    coarse.reset(seed=0)
    action = np.linspace(-1.0, 1.0, 6, dtype=np.float32)
    for _ in range(5):
        expected = fine.step(action)[0]
    np.testing.assert_array_equal(coarse.step(action)[0], expected)


def test_tasks_are_forwards_and_backwards():
    env = gym.make(ID).unwrapped
    assert env.tasks("train").tolist() == env.tasks("validation").tolist() == [[1.0], [-1.0]]


def test_there_is_no_sparse_reward():
    with pytest.raises(ValueError, match='no sparse reward: use reward="dense"'):
        gym.make(ID, reward="sparse")
    with pytest.raises(ValueError, match="frame_skip must be at least 1, got 0"):
        gym.make(ID, frame_skip=0)
