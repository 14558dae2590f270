import math

import gymnasium as gym
import mujoco
import numpy as np
import pytest

import expedition.envs  # noqa: F401
from expedition.envs import conformance
from expedition.envs.dclaw import DClawEnv
from expedition.envs.dclaw.env import RESET_POSE, VALVE, reward_terms
from expedition.envs.mujoco_world import load_model

ID = "expedition/DClaw-v0"


def claw(env):
    """Model and data of an environment."""
    return env.unwrapped._model, env.unwrapped._data


def turn_episode(env, policy):
    """Metrics of one episode."""
    observations = [env.step(policy(k))[0] for k in range(50)]
    tracker = env.coverage_tracker()
    ends = np.zeros((50, 1), dtype=bool)
    ends[-1] = True
    tracker.update(np.array(observations)[:, None], ends)
    return tracker.metrics()


def test_start_observation_and_spaces():
    env = gym.make(ID)
    observation, info = env.reset(seed=0)
    np.testing.assert_array_equal(observation, [*RESET_POSE, 1.0, 0.0, 0.0])
    assert info == {}
    high = [math.pi / 2] * 9 + [1.0] * 3
    assert env.observation_space == gym.spaces.Box(-np.array(high), np.array(high), dtype=float)
    assert env.action_space == gym.spaces.Box(-1.0, 1.0, (9,), np.float32)


def test_fingers_hang_around_the_valve_without_contact():
    env = DClawEnv()
    env.reset()
    model, data = claw(env)
    assert data.ncon == 0
    tips = np.array([data.geom(f"tip{k}").xpos for k in range(3)])
    np.testing.assert_allclose(tips[:, 2], 0.146, atol=5e-4)
    np.testing.assert_allclose(np.hypot(*tips[:, :2].T), 0.119, atol=5e-4)
    # A third of a turn apart, and lower than all of their motors.
    angles = np.sort(np.arctan2(tips[:, 1], tips[:, 0]))
    np.testing.assert_allclose(np.diff(angles), 2 * math.pi / 3, atol=1e-6)
    assert data.geom("disc").xpos[2] > 0.33
    assert model.body("valve").mass[0] == pytest.approx(0.476, abs=1e-3)
    assert model.body_subtreemass[model.body("finger0").id] == pytest.approx(0.335, abs=1e-3)


def test_joints_servos_and_observation_are_in_one_order():
    model = load_model("dclaw")
    names = [part + finger for finger in "012" for part in ("base", "middle", "tip")]
    assert [model.joint(i).name for i in range(10)] == [*names, "valve"]
    assert [model.actuator(i).name for i in range(9)] == names
    assert model.actuator_trnid[:, 0].tolist() == list(range(9))
    np.testing.assert_array_equal(model.actuator_ctrlrange[:, 1], np.tile([0.48, 1.57, 1.57], 3))


def test_actions_are_scaled_and_limited_in_speed():
    env = DClawEnv()
    env.reset()
    env.step(np.zeros(9))
    # Zero means straight fingers; targets are at most 0.2094 rad from the start's angles.
    expected = np.tile([0.0, -math.pi / 3 + 0.20944, math.pi / 3 - 0.20944], 3)
    np.testing.assert_allclose(claw(env)[1].ctrl, expected, atol=1e-5)
    env.reset()
    env.step(np.tile([0.3, -0.95, 0.7], 3))
    near = np.tile([0.3 * 0.48, -0.95 * math.pi / 3, 0.7 * math.pi / 2], 3)
    np.testing.assert_allclose(claw(env)[1].ctrl, near)
    env.reset()
    outside = env.step(np.full(9, 7.0))[0]
    env.reset()
    np.testing.assert_array_equal(env.step(np.ones(9))[0], outside)


def test_the_claw_follows_its_targets():
    env = DClawEnv()
    env.reset()
    target = np.tile([0.2, -0.9, 0.9], 3)
    for _ in range(20):
        observation = env.step(target / np.tile([0.48, math.pi / 3, math.pi / 2], 3))[0]
    # Servos of 2 N m/rad sag by some hundredths of a radian under the fingers' weight.
    np.testing.assert_allclose(observation[:9], target, atol=0.15)


def test_reward_is_the_weighted_norms_of_pose_and_of_fast_joints():
    angles = RESET_POSE + np.array([0.3, 0, 0, 0, 0.4, 0, 0, 0, 0])
    speeds = np.array([0.49, -0.6, 0.8, 0, 0, 0, 0, -0.3, 0])
    terms = reward_terms(angles, speeds)
    assert terms == {"pose": pytest.approx(-0.5), "speed": pytest.approx(-1.0)}
    env = DClawEnv()
    assert env.reward_terms == ("pose", "speed")
    env.reset()
    observation, reward, terminated, truncated, info = env.step(np.ones(9))
    assert info["reward_terms"]["pose"] == pytest.approx(
        -np.linalg.norm(observation[:9] - RESET_POSE)
    )
    assert info["reward_terms"]["speed"] < 0
    assert reward == sum(info["reward_terms"].values())
    assert not terminated
    assert not truncated


def test_holding_still_costs_almost_nothing():
    env = DClawEnv()
    env.reset()
    hold = RESET_POSE / np.tile([0.48, math.pi / 3, math.pi / 2], 3)
    rewards = [env.step(hold)[1] for _ in range(50)]
    assert sum(rewards) > -50 * 0.2
    assert claw(env)[1].qpos[VALVE] == 0.0


@pytest.mark.parametrize(("start_range", "largest"), [(0.0, 0.0), (math.pi, 0.1)])
def test_the_first_step_hardly_turns_the_valve(start_range, largest):
    # So that a tracker, which is not shown the start, may measure from the angle after it.
    env = DClawEnv(start_range=start_range)
    rng = np.random.default_rng(0)
    env.reset(seed=0)
    turns = []
    for _ in range(300):
        before = env.reset()[0][11]
        assert claw(env)[1].ncon == 0
        after = env.step(rng.choice([-1.0, 1.0], 9))[0][11]
        turns.append(math.pi * abs((after - before + 1.0) % 2.0 - 1.0))
    assert max(turns) <= largest
    assert np.mean(turns) <= 0.05 * largest


def test_the_valve_starts_uniformly_within_its_range():
    env = DClawEnv(start_range=math.pi / 3)
    env.reset(seed=1)
    angles = np.array([env.reset()[0][11] * math.pi for _ in range(400)])
    assert np.abs(angles).max() < math.pi / 3
    assert np.abs(angles).max() > 0.95 * math.pi / 3
    assert angles.std() == pytest.approx(math.pi / 3 / math.sqrt(3), rel=0.1)


def test_the_angle_is_unwrapped_by_nobody_but_wrapped_in_the_observation():
    env = DClawEnv()
    env.reset()
    _, data = claw(env)
    data.qpos[VALVE] = 2.0 * math.pi + 3.5
    mujoco.mj_forward(*claw(env))
    observation = env.unwrapped._observation()
    np.testing.assert_allclose(observation[9:11], [math.cos(3.5), math.sin(3.5)])
    assert observation[11] == pytest.approx((3.5 - 2 * math.pi) / math.pi)


def test_random_actions_turn_the_valve_as_measured():
    env = gym.make(ID)
    tracker = env.unwrapped.coverage_tracker()
    rng = np.random.default_rng(0)
    for _ in range(60):
        env.reset()
        states = [env.step(rng.uniform(-1, 1, 9).astype(np.float32)) for _ in range(50)]
        ends = np.array([[step[3]] for step in states])
        tracker.update(np.array([step[0] for step in states])[:, None], ends)
    metrics = tracker.metrics()
    assert metrics["rotations"] == pytest.approx(0.23, abs=0.04)
    assert metrics["max_positive"] == pytest.approx(0.24, abs=0.1)
    assert metrics["max_negative"] == pytest.approx(0.22, abs=0.1)
    assert metrics["angle_entropy"] == pytest.approx(1.43, abs=0.25)


def test_a_swing_of_the_bases_turns_the_valve_once():
    env = DClawEnv()
    env.reset()

    def swing(k):
        return np.tile([math.sin(2 * math.pi * k / 10), 0.2, 0.0], 3)

    metrics = turn_episode(env, swing)
    assert metrics["rotations"] == pytest.approx(1.0, abs=0.15)


def test_the_horizon_is_50_steps_of_a_tenth_of_a_second():
    env = gym.make(ID)
    env.reset(seed=0)
    flags = [env.step(np.zeros(9, np.float32))[2:4] for _ in range(50)]
    assert flags == [(False, False)] * 49 + [(False, True)]
    assert claw(env)[1].time == pytest.approx(5.0)
    assert env.metadata["render_fps"] == 10


def test_random_physics_is_drawn_within_its_ranges_for_every_episode():
    env = DClawEnv(randomised=True)
    model, _ = claw(env)
    mount = model.body("mount").id
    env.reset(seed=0)
    drawn = []
    for _ in range(200):
        env.reset()
        gain = model.actuator_gainprm[:, 0]
        assert np.ptp(gain) == 0.0
        np.testing.assert_array_equal(model.actuator_biasprm[:, 1], -gain)
        drawn.append(
            np.concatenate(
                [
                    [gain[0]],
                    model.dof_damping,
                    model.dof_frictionloss,
                    model.geom_friction[:, 0],
                    model.body_pos[mount] - [0.0, 0.0, 0.335],
                ]
            )
        )
    geoms = model.ngeom
    low = [1.0] + [0.005] * 10 + [0.001] * 10 + [0.8] * geoms + [-0.01] * 3
    high = [3.0] + [0.1] * 10 + [0.005] * 10 + [1.2] * geoms + [0.01] * 3
    share = (np.array(drawn) - low) / (np.array(high) - np.array(low))
    assert share.min() > -1e-9
    assert share.max() < 1 + 1e-9
    np.testing.assert_allclose(share.mean(axis=0), 0.5, atol=0.1)
    np.testing.assert_allclose(share.std(axis=0), math.sqrt(1 / 12), atol=0.05)


def test_random_readings_err_by_at_most_a_fortieth_of_the_range():
    env = DClawEnv(randomised=True)
    env.reset(seed=0)
    errors = np.array([env.reset()[0][:9] - RESET_POSE for _ in range(200)])
    assert np.abs(errors).max() <= 0.025 * math.pi
    assert np.abs(errors).max() > 0.024 * math.pi
    assert env.reset()[0][9:].tolist() == [1.0, 0.0, 0.0]


@pytest.mark.parametrize(
    "arguments", [{"randomised": True, "start_range": math.pi / 3}, {"camera": "below"}]
)
def test_it_conforms_with_other_arguments(arguments):
    conformance.check(ID, **arguments)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"start_range": -0.1}, "start_range must be from 0 to pi, got -0.1"),
        ({"start_range": 4.0}, "got 4.0"),
        ({"start_range": float("nan")}, "got nan"),
        ({"camera": "above"}, "camera must be 'front' or 'below', got 'above'"),
    ],
)
def test_arguments_out_of_range(arguments, message):
    with pytest.raises(ValueError, match=message):
        DClawEnv(**arguments)


@pytest.mark.parametrize("action", [np.full(9, np.nan), np.zeros(8)])
def test_actions_that_are_not_nine_numbers(action):
    env = DClawEnv()
    env.reset()
    with pytest.raises(ValueError, match="actions must be 9 numbers"):
        env.step(action)


def test_frames_show_the_valve_and_the_fingertips():
    env = gym.make(ID, render_mode="rgb_array")
    env.reset()
    frame = env.render().astype(int)
    env.close()
    assert frame.shape == (480, 480, 3)
    red, green, blue = np.moveaxis(frame, -1, 0)
    valve = (red > 1.8 * green) & (red > 2.5 * blue)
    tips = (blue > 1.5 * red) & (blue > 60)
    assert 5_000 < valve.sum() < 40_000
    assert 1_000 < tips.sum() < 20_000
    # The valve is in the lower half, the tips beside and behind it and not below.
    rows, columns = np.nonzero(valve)
    assert rows.min() > 240
    tip_rows, tip_columns = np.nonzero(tips)
    assert tip_rows.min() < rows.min()
    assert tip_columns.min() < columns.min() < columns.max() < tip_columns.max()


def test_no_frames_without_a_render_mode():
    env = DClawEnv()
    env.reset()
    assert env.render() is None
