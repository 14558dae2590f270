import gymnasium as gym
import numpy as np
import pytest

import expedition.envs  # noqa: F401
from expedition.envs.mujoco_world import load_model
from expedition.envs.pusher.tasks import BLOCK_HOMES, sample_arrangements
from expedition.envs.pusher.tracker import BlockTracker

ID = "expedition/BlockPusher-v0"


def task_of(block, goal, positions):
    """A task from block positions in the world, shape (5, 2)."""
    joints = np.asarray(positions) - BLOCK_HOMES
    return [block, *goal, 0.0, 0.0, 0.0, *joints.ravel()]


LINE = np.array([[0.5, -0.4], [0.5, -0.2], [0.5, 0.0], [0.5, 0.2], [0.5, 0.4]])


def placements(tasks):
    """Block, goal (N, 2) and block positions (N, 5, 2) of tasks."""
    positions = tasks[:, 6:].reshape(-1, 5, 2) + [[0.2 * (k + 1), 0.0] for k in range(5)]
    return tasks[:, 0].astype(int), tasks[:, 1:3], positions


def test_masses_are_those_of_the_original():
    model = load_model("pusher")
    assert model.body("hand").mass[0] == pytest.approx(0.0061, abs=5e-5)
    assert model.body("block_3").mass[0] == pytest.approx(1.8e-7)
    np.testing.assert_allclose(model.dof_armature, 0.04)
    np.testing.assert_allclose(model.dof_damping, [0.5] * 3 + [1.5] * 10)


def test_a_free_hand_follows_the_closed_form():
    env = gym.make(ID, task=task_of(0, [0.8, -0.4], LINE + 5.0))
    env.reset()
    mass, damping, dt = 0.04 + load_model("pusher").body("hand").mass[0], 0.5, 0.01
    x = v = 0.0
    for _ in range(60):
        observation = env.step(np.array([-1.0, 0.0, 0.0], np.float32))[0]
        v += dt * (-2.0 - damping * v) / (mass + dt * damping)  # damping is integrated implicitly
        x += dt * v
    np.testing.assert_allclose(observation[:3], [x, 0.0, 0.0], atol=1e-10)
    assert observation[13] == pytest.approx(v)


def test_a_pushed_block_moves_and_the_others_stay():
    env = gym.make(ID, task=task_of(2, [0.85, 0.0], LINE))
    start = env.reset()[0]
    np.testing.assert_allclose(start[3:13].reshape(5, 2), LINE)
    for _ in range(100):
        observation, *_, info = env.step(np.array([0.5, 0.0, 0.0], np.float32))
        if info["reached"]:
            break
    moved = np.abs(observation - start)[3:13].reshape(5, 2).max(axis=1)
    assert info["reached"]
    assert observation[7] == pytest.approx(0.65, abs=0.03)  # 0.2 short of the goal
    assert moved[2] > 0.1
    np.testing.assert_allclose(np.delete(moved, 2), 0.0, atol=1e-12)


@pytest.mark.parametrize(
    ("block", "goal", "reward", "expected"),
    [
        (1, [0.8, -0.6], "dense", -5.0 * 0.5),  # block 1 is at (0.5, -0.2)
        (1, [0.8, -0.6], "sparse", -5.0 * 1.0),
        (4, [0.6, 0.4], "dense", -5.0 * 0.1),
        (4, [0.6, 0.4], "sparse", -5.0 * 0.1),
    ],
)
def test_rewards(block, goal, reward, expected):
    env = gym.make(ID, reward=reward, task=task_of(block, goal, LINE))
    env.reset()
    _, found, terminated, _, info = env.step(np.ones(3, np.float32))
    assert found == pytest.approx(expected)
    assert info["reached"] == (block == 4)
    assert not terminated


@pytest.mark.parametrize("split", ["train", "validation"])
def test_tasks_are_twenty_arrangements_of_five(split):
    tasks = gym.make(ID).unwrapped.tasks(split)
    assert tasks.shape == (100, 16)
    block, goal, positions = placements(tasks)
    assert np.bincount(block).tolist() == [20] * 5
    arrangements = positions.reshape(20, 5, 5, 2)
    assert (arrangements == arrangements[:, :1]).all()
    assert positions[..., 0].min() >= 0.35
    assert positions[..., 0].max() <= 0.65
    assert goal[:, 0].min() >= 0.75
    assert goal[:, 0].max() <= 0.95
    own = positions[np.arange(100), block]
    lanes = np.floor((own[:, 1] + 0.5) / 0.2)
    np.testing.assert_array_equal(lanes.reshape(20, 5), np.tile(np.arange(5), (20, 1)))
    np.testing.assert_array_equal(np.floor((goal[:, 1] + 0.5) / 0.2), lanes)


def test_tasks_have_the_statistics_of_the_original():
    tasks = sample_arrangements(np.random.default_rng(0), 5000)
    block, goal, positions = placements(tasks)
    way = goal - positions[np.arange(5000), block]
    distance = np.hypot(way[:, 0], way[:, 1])
    assert distance.mean() == pytest.approx(0.36, abs=0.01)  # .35 and .37 in the original's
    assert 0.03 < (distance < 0.2).mean() < 0.07
    far = 5.0 * np.hypot(*goal.T)
    assert far.min() > 3.75
    assert far.max() < 5.4


def test_a_start_is_exactly_the_task_and_at_rest():
    env = gym.make_vec(ID, 3)
    tasks = env.unwrapped.tasks("validation")[[3, 50, 99]]
    env.unwrapped.set_tasks(tasks)
    observations, _ = env.reset(seed=0)
    np.testing.assert_array_equal(observations[:, :3], 0.0)
    np.testing.assert_allclose(observations[:, 3:13].reshape(3, 5, 2), placements(tasks)[2])
    np.testing.assert_array_equal(observations[:, 13:], 0.0)


def test_blocks_moved_and_the_scatter_of_hands():
    tracker = BlockTracker()
    states = np.zeros((2, 3, 26))
    states[0, :, 3:13] = np.arange(10)
    states[1, :, 3:13] = np.arange(10)
    states[1, 0, 3:7] += [0.2, 0.0, 0.05, 0.05]  # block 0 moved, block 1 not far enough
    states[1, 1, 3:7] += [0.08, 0.08, 0.0, -0.5]  # both moved
    states[1, :, :2] = [[0, 0], [1, 0], [0, 2]]
    tracker.update(states, np.array([[False] * 3, [True] * 3]))
    metrics = tracker.metrics()
    assert metrics["blocks_moved"] == pytest.approx(1.0)
    # Covariance [[1/3, -1/3], [-1/3, 4/3]]
    assert metrics["final_determinant"] == pytest.approx(4 / 9 - 1 / 9)
    assert tracker.arrays()["visits"].sum() == 5  # (0, 2) is off the map


def test_a_frame_shows_all_blocks_the_hand_and_the_goal():
    env = gym.make(ID, render_mode="rgb_array", task=task_of(2, [0.85, 0.0], LINE))
    env.reset()
    frame = env.render().astype(int)
    assert frame.shape == (480, 480, 3)
    dark = (frame.max(axis=-1) < 90).sum()
    green = ((frame[..., 1] - frame[..., 0] > 30) & (frame[..., 1] - frame[..., 2] > 30)).sum()
    assert dark > 1000
    assert green > 5000
