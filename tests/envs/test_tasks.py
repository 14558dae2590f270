import gymnasium as gym
import numpy as np
import pytest
from gymnasium.vector import AutoresetMode

import expedition.envs  # noqa: F401
from expedition.envs.goal_tracker import GoalTracker
from expedition.envs.tasks import reached, set_tasks, tasks_of

RING = "expedition/Ring-v0"
RIGHT, UP = np.array([[1.0, 0.0], [0.0, 1.0]])


def make_sync(copies, **kwargs):
    same_step = {"autoreset_mode": AutoresetMode.SAME_STEP}
    return gym.make_vec(RING, copies, "sync", vector_kwargs=same_step, **kwargs)


def test_splits_are_fixed_by_their_seed_and_differ():
    train = gym.make(RING).unwrapped.tasks("train")
    assert np.array_equal(train, gym.make(RING).unwrapped.tasks("train"))
    other_split = gym.make(RING).unwrapped.tasks("validation")
    other_seed = gym.make(RING, task_seed=1).unwrapped.tasks("train")
    assert not np.isin(other_split, train).any()
    assert not np.isin(other_seed, train).any()
    assert np.array_equal(train, tasks_of(gym.make_vec(RING, 3), "train"))
    assert np.array_equal(train, tasks_of(make_sync(3), "train"))


def test_the_first_task_is_the_first_training_task():
    env = gym.make(RING)
    env.reset()
    _, reward, *_ = env.step(np.zeros(2, np.float32))
    assert reward == pytest.approx(-1.0)
    assert np.array_equal(env.unwrapped._next_task[0], env.unwrapped.tasks("train")[0])


def test_a_task_takes_effect_at_the_next_reset():
    env = gym.make(RING, task=RIGHT)
    env.reset()
    env.unwrapped.set_task(UP)
    right = np.array([1.0, 0.0], np.float32)
    assert env.step(right)[1] == pytest.approx(-0.96)
    env.reset()
    assert env.step(right)[1] == pytest.approx(-np.hypot(1.0, 0.04))


@pytest.mark.parametrize("make", [gym.make_vec, make_sync])
def test_a_vector_environment_poses_a_task_in_each_copy(make):
    env = make(RING, 2) if make is gym.make_vec else make(2)
    env.reset()
    set_tasks(env, np.array([RIGHT, UP]))
    actions = np.array([[1.0, 0.0], [1.0, 0.0]], np.float32)
    before = env.step(actions)[1]
    assert before[0] == before[1]
    for _ in range(49):
        env.step(actions)  # the time limit resets both
    np.testing.assert_allclose(env.step(actions)[1], [-0.96, -np.hypot(1.0, 0.04)])


@pytest.mark.parametrize("make", [gym.make_vec, make_sync])
def test_reached_is_of_the_step_and_not_of_the_next_start(make):
    env = make(RING, 2) if make is gym.make_vec else make(2)
    set_tasks(env, np.array([RIGHT, UP]))
    env.reset()
    actions = np.array([[0.5, 0.0], [0.5, 0.0]], np.float32)
    flags = [reached(env.step(actions)[4]).tolist() for _ in range(51)]
    assert flags[34:] == [[True, False]] * 16 + [[False, False]]
    assert flags[:34] == [[False, False]] * 34


def test_wrong_tasks_are_errors():
    env = gym.make_vec(RING, 2)
    with pytest.raises(ValueError, match=r"expected 2 task\(s\) of 2 finite numbers"):
        set_tasks(env, np.zeros((3, 2)))
    with pytest.raises(ValueError, match="split must be one of"):
        tasks_of(env, "test")
    with pytest.raises(TypeError, match="CartPoleEnv poses no tasks"):
        tasks_of(gym.make_vec("CartPole-v1", 2, "sync"), "train")


def test_goals_reached_and_the_scatter_of_finals():
    tracker = GoalTracker(
        np.array([[1.0, 0.0], [0.0, 1.0], [-1.0, 0.0]]), success_radius=0.3, extent=3
    )
    assert tracker.metrics()["final_determinant"] == 0.0
    # Two copies, two episodes of two steps each.
    states = np.array([[[0.9, 0], [0, 0]], [[2, 0], [0, 1]], [[0, 0.8], [0, 0]], [[0, 0], [0, -1]]])
    ends = np.array([[False, False], [True, True], [False, False], [True, True]])
    tracker.update(states[:1], ends[:1])
    assert tracker.metrics()["goals_reached"] == 0.0  # of complete episodes
    tracker.update(states[1:], ends[1:])
    metrics = tracker.metrics()
    assert metrics["goals_reached"] == pytest.approx(2 / 3)
    # Finals (2, 0), (0, 1), (0, 0), (0, -1): var x 1, var y 2/3, covariance 0.
    assert metrics["final_determinant"] == pytest.approx(2 / 3)
    assert tracker.arrays()["visits"].sum() == 8


def test_old_episodes_leave_the_window_but_not_the_lifetime():
    tracker = GoalTracker(np.array([[1.0, 0.0]]), success_radius=0.3, extent=2)
    found = np.array([[[1.0, 0.0]]])
    tracker.update(found, np.array([[True]]))
    tracker.update(np.zeros((99, 1, 2)), np.ones((99, 1), dtype=bool))
    assert tracker.metrics()["goals_reached"] == 1.0
    tracker.update(np.zeros((1, 1, 2)), np.ones((1, 1), dtype=bool))
    assert tracker.metrics()["goals_reached"] == 0.0
    assert tracker.metrics()["goals_reached_lifetime"] == 1.0
