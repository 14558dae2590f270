import gymnasium as gym
import mujoco
import numpy as np
import pytest

import expedition.envs  # noqa: F401
from expedition.envs.mujoco_world import load_model

ID = "expedition/AntGoals-v0"


def test_model_has_the_numbers_of_the_original():
    model = load_model("ant")
    assert (model.nbody, model.nq, model.nv, model.nu) == (14, 15, 14, 8)
    assert model.body_mass.sum() == pytest.approx(0.911, abs=5e-4)
    assert model.body("torso").mass[0] == pytest.approx(0.327, abs=5e-4)
    np.testing.assert_allclose(model.actuator_gear[:, 0], 30.0)
    motors = [model.joint(joint).name for joint in model.actuator_trnid[:, 0]]
    legs = ("4", "1", "2", "3")
    assert motors == [f"{joint}_{leg}" for leg in legs for joint in ("hip", "ankle")]
    limits = np.degrees(model.jnt_range[1:])
    np.testing.assert_allclose(limits[::2], [[-30, 30]] * 4)
    np.testing.assert_allclose(limits[1::2], [[30, 70], [-70, -30], [-70, -30], [30, 70]])
    assert model.opt.integrator == mujoco.mjtIntegrator.mjINT_RK4


def test_observation_holds_what_mujoco_says():
    env = gym.make(ID)
    env.reset(seed=0)
    env.action_space.seed(0)
    for _ in range(80):
        action = 0.1 * env.action_space.sample()
        observation = env.step(action)[0]
    model = load_model("ant")
    data = mujoco.MjData(model)
    data.qpos[:], data.qvel[:], data.ctrl[:] = observation[:15], observation[15:29], action
    mujoco.mj_forward(model, data)
    mujoco.mj_rnePostConstraint(model, data)
    forces = np.clip(data.cfrc_ext, -1.0, 1.0).ravel()
    np.testing.assert_array_equal(observation[29:113], forces)
    assert np.abs(forces).max() == 1.0  # some leg stands on the floor
    np.testing.assert_array_equal(observation[113:122], data.xmat[1])
    masses = model.body_mass[:, None]
    centre = (masses * data.xipos).sum(axis=0) / masses.sum()
    np.testing.assert_allclose(observation[122:], centre, atol=1e-12)


@pytest.mark.parametrize("reward", ["dense", "sparse"])
@pytest.mark.parametrize("goal", [[0.3, 0.4], [-1.2, 1.6]])
def test_rewards(reward, goal):
    env = gym.make(ID, reward=reward, task=goal)
    env.reset(seed=0)
    action = np.array([0.5, -1.0, 2.0, 0, 0, 0, 0, 0], np.float32)  # 2 is clipped to 1
    for _ in range(60):
        observation, found, *_, info = env.step(action)
    x, y = observation[122:124] - goal
    inside = np.hypot(x, y) <= 0.8
    assert inside == info["reached"] == (goal[0] > 0)
    away = abs(x) + abs(y) if reward == "dense" or inside else 1.2 + 1.6
    contact = 0.0005 * (observation[29:113] ** 2).sum()
    assert contact > 0.0
    assert found == pytest.approx(4.0 - away - 0.005 * (0.25 + 1.0 + 1.0) - contact + 0.05)


@pytest.mark.parametrize(("height", "ends"), [(0.1, True), (0.55, False), (1.5, True)])
def test_an_episode_ends_when_the_torso_is_too_low_or_too_high(height, ends):
    env = gym.make(ID)
    env.reset(seed=0)
    env.unwrapped.world._ants.positions[0, 2] = height
    assert env.step(np.zeros(8, np.float32))[2] == ends


def test_starts_have_the_original_pose_and_noise():
    env = gym.make_vec(ID, 500)
    starts = env.reset(seed=0)[0]
    pose = [0, 0, 0.55, 1, 0, 0, 0, 0, 1, 0, -1, 0, -1, 0, 1]
    np.testing.assert_allclose(starts[:, :15].mean(axis=0), pose, atol=0.003)
    np.testing.assert_allclose(starts[:, :15].std(axis=0), 0.01, rtol=0.15)
    np.testing.assert_allclose(starts[:, 15:29].std(axis=0), 0.1, rtol=0.15)


def test_tasks_are_on_the_upper_half_circle():
    env = gym.make(ID).unwrapped
    for split in ("train", "validation"):
        goals = env.tasks(split)
        assert goals.shape == (100, 2)
        np.testing.assert_allclose(np.hypot(*goals.T), 2.0)
        assert (goals[:, 1] >= 0.0).all()
        # The sparse reward far from the goal: 4 - |g|_1, with |g|_1 from 2 to 2.83.
        assert np.abs(goals).sum(axis=1).min() > 2.0
        assert np.abs(goals).sum(axis=1).max() < 2.83


def test_episodes_of_a_batch_end_each_at_its_own_time():
    env = gym.make_vec(ID, 2)
    env.reset(seed=0)
    env.unwrapped.world._ants.positions[1, 2] = 1.5
    _, _, terminations, truncations, infos = env.step(np.zeros((2, 8), np.float32))
    assert terminations.tolist() == [False, True]
    assert not truncations.any()
    assert infos["final_obs"][1][2] == pytest.approx(1.5, abs=0.01)
    ends = [env.step(np.zeros((2, 8), np.float32))[3].tolist() for _ in range(200)]
    assert ends[198] == [True, False]
    assert ends[199] == [False, True]
