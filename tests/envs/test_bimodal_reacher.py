import math

import gymnasium as gym
import mujoco
import numpy as np
import pytest

from expedition.envs import conformance
from expedition.envs.coverage import metric_names
from expedition.envs.reacher import BimodalReacherEnv
from expedition.envs.reacher.world import TARGETS

ID = "expedition/BimodalReacher-v0"


def angles_at(target):
    """Joint angles that bring the tip to a target, by the law of cosines."""
    upper, lower = 0.1, 0.11
    cosine = (target @ target - upper**2 - lower**2) / (2 * upper * lower)
    elbow = -math.copysign(math.acos(cosine), target[1])
    turn = math.atan2(lower * math.sin(elbow), upper + lower * math.cos(elbow))
    return np.array([math.atan2(target[1], target[0]) - turn, elbow])


def reach(env, target, seed=0):
    """Steps of an episode in which a controller of the joints brings the tip to a target."""
    observation, _ = env.reset(seed=seed)
    steps = []
    for _ in range(50):
        error = angles_at(target) - np.arctan2(observation[2:4], observation[:2])
        action = np.clip(0.3 * error - 0.05 * observation[4:6], -1.0, 1.0)
        steps.append(env.step(action.astype(np.float32)))
        observation = steps[-1][0]
    return steps


def test_the_arm_moves_like_gymnasiums():
    env, reference = gym.make(ID), gym.make("Reacher-v5")
    observation, _ = env.reset(seed=1)
    reference.reset(seed=0)
    start = np.arctan2(observation[2:4], observation[:2])
    goal = np.array([0.1, -0.1])
    reference.unwrapped.set_state(np.concatenate([start, goal]), np.zeros(4))
    rng = np.random.default_rng(0)
    for _ in range(50):
        action = rng.uniform(-1.0, 1.0, 2).astype(np.float32)
        found, expected = env.step(action)[0], reference.step(action)[0]
        np.testing.assert_allclose(found[:4], expected[:4], atol=1e-9)
        np.testing.assert_allclose(found[4:6], expected[6:8], atol=1e-8)
        # Gymnasium's tip is of the integrator's last stage, ours of the state itself.
        np.testing.assert_allclose(found[6:8], expected[8:10] + expected[4:6], atol=1e-4)
        assert found[8] == 0.01


def test_starts_and_observation():
    starts = gym.make_vec(ID, 500).reset(seed=0)[0]
    angles = np.arctan2(starts[:, 2:4], starts[:, :2])
    assert np.abs(angles).max() < 0.1
    np.testing.assert_allclose(angles.std(axis=0), 0.1 / math.sqrt(3), rtol=0.1)
    np.testing.assert_array_equal(starts[:, 4:6], 0.0)
    fixed = BimodalReacherEnv(start_noise=0.0).reset(seed=0)[0]
    np.testing.assert_allclose(fixed, [1, 1, 0, 0, 0, 0, 0.21, 0, 0.01], atol=1e-12)


def test_the_reward_is_the_distance_from_the_nearer_target_and_the_effort():
    for cost in (0.1, 1.0):
        env = BimodalReacherEnv(cost)
        env.reset(seed=0)
        observation, reward, *_ = env.step(np.array([0.5, 3.0]))  # 3 is clipped to 1
        away = min(math.dist(observation[6:8], target) for target in TARGETS)
        assert reward == pytest.approx(-away - cost * 1.25)


def test_the_targets_mirror_each_other():
    returns = []
    for target in TARGETS:
        env = BimodalReacherEnv(start_noise=0.0)
        steps = reach(env, target)
        assert math.dist(steps[-1][0][6:8], target) < 0.002
        returns.append(sum(step[1] for step in steps))
    assert returns[0] == pytest.approx(returns[1], rel=1e-6)


def test_shares_of_targets():
    tracker = BimodalReacherEnv().coverage_tracker()
    env = gym.make(ID)
    ends = (np.arange(50) == 49)[:, None]
    for episode, target in enumerate([TARGETS[0], TARGETS[1], TARGETS[1]]):
        states = np.array([step[0] for step in reach(env, target, episode)])
        tracker.update(states[:, None], ends)
    # It passes the first target, and ends elsewhere.
    states[:, 6:8] = TARGETS[0]
    states[-1, 6:8] = [0.05, 0.0]
    tracker.update(states[:, None], ends)
    found = tracker.metrics()
    assert found["target_share_0"] == 0.25
    assert found["target_share_1"] == 0.5
    assert found["targets_reached"] == 2.0
    paths = tracker.arrays()["paths"]
    assert paths.shape == (1, 4, 51, 2)
    np.testing.assert_array_equal(paths[0, :, 0], [[0.21, 0.0]] * 4)
    assert metric_names(ID) == [
        "share_entropy",
        "target_share_0",
        "target_share_1",
        "targets_reached",
    ]


def test_nothing_collides_and_the_horizon_is_a_second():
    env = gym.make(ID)
    env.reset(seed=0)
    model = env.unwrapped.world._arms.model
    assert not model.geom_contype.any()
    assert not model.geom_conaffinity.any()
    assert model.opt.integrator == mujoco.mjtIntegrator.mjINT_RK4
    flags = [env.step(np.ones(2, np.float32))[2:4] for _ in range(50)]
    assert flags == [(False, False)] * 49 + [(False, True)]


def test_it_conforms_with_other_arguments():
    conformance.check(ID, control_cost=1.0, start_noise=0.0)


def test_the_frame_shows_both_targets_and_the_tip():
    env = gym.make(ID, render_mode="rgb_array")
    reach(env, TARGETS[0])
    frame = env.render().astype(int)
    env.close()
    red, green, blue = np.moveaxis(frame, -1, 0)
    targets = (green > 1.15 * red) & (green > 1.15 * blue)
    rows = np.nonzero(targets)[0]
    assert 1000 < (rows < 240).sum() < 6000
    assert 3000 < (rows >= 240).sum() < 6000  # the arm covers part of the other
    tip_rows, tip_columns = np.nonzero((red > 1.6 * green) & (red > 1.8 * blue))
    assert tip_rows.mean() == pytest.approx(240 - 0.15 * 800, abs=8)
    assert tip_columns.mean() == pytest.approx(240 + 0.05 * 800, abs=8)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"control_cost": -1.0}, r"control_cost must not be negative, got -1\.0"),
        ({"start_noise": 4.0}, r"start_noise must be from 0 to pi, got 4\.0"),
    ],
)
def test_wrong_arguments(arguments, message):
    with pytest.raises(ValueError, match=message):
        BimodalReacherEnv(**arguments)
