import math
import pickle

import gymnasium as gym
import mujoco
import numpy as np
import pytest

from expedition.envs import conformance
from expedition.envs.ant_run import AntHallwayEnv, AntSpeedEnv
from expedition.envs.coverage import metric_names

SPEED, HALLWAY = "expedition/AntSpeed-v0", "expedition/AntHallway-v0"


def put(env, **coordinates):
    """Move the torso; x, y and z in metres."""
    ant = env.unwrapped
    position = ant.init_qpos.copy()
    for axis, value in coordinates.items():
        position["xyz".index(axis)] = value
    ant.set_state(position, np.zeros(14))
    return ant


def walls_touched(ant):
    pairs = [ant.data.contact[i].geom for i in range(ant.data.ncon)]
    names = {ant.model.geom(geom).name for pair in pairs for geom in pair}
    return {name for name in names if name.endswith("_wall")}


def test_in_the_open_the_ant_moves_like_gymnasiums():
    ours, reference = gym.make(SPEED), gym.make("Ant-v5")
    np.testing.assert_array_equal(ours.reset(seed=3)[0], reference.reset(seed=3)[0])
    rng = np.random.default_rng(0)
    for _ in range(60):
        action = rng.uniform(-1.0, 1.0, 8).astype(np.float32)
        found, expected = ours.step(action), reference.step(action)
        np.testing.assert_array_equal(found[0], expected[0])
        assert found[2] == expected[2]
        x, y = expected[4]["x_velocity"], expected[4]["y_velocity"]
        assert found[1] == pytest.approx(math.hypot(x, y))
        assert found[4]["reward_terms"] == {"speed": found[1], "control": 0.0}
        assert found[4]["x_position"] == expected[4]["x_position"]
        assert "reward_survive" not in found[4]


def test_the_reward_is_the_same_whatever_the_direction():
    rewards = []
    for heading in (0.0, 1.0, 2.5, 4.0):
        env = AntSpeedEnv(start_noise=0.0)
        env.reset(seed=0)
        velocity = np.zeros(14)
        velocity[:2] = 3.0 * np.cos(heading), 3.0 * np.sin(heading)
        # In the air, where nothing slows it down.
        env.set_state(np.r_[0.0, 0.0, 0.9, env.init_qpos[3:]], velocity)
        rewards.append(env.step(np.zeros(8))[1])
    assert rewards == pytest.approx([3.0] * 4, rel=0.02)


def test_forward_pays_for_x_and_control_costs():
    env = AntSpeedEnv(reward="forward", control_cost=0.5)
    env.reset(seed=0)
    action = np.linspace(-1.0, 1.0, 8)
    _, reward, _, _, info = env.step(action)
    cost = 0.5 * (action**2).sum()
    assert info["reward_terms"] == {
        "speed": pytest.approx(info["x_velocity"]),
        "control": pytest.approx(-cost),
    }
    assert reward == pytest.approx(info["x_velocity"] - cost)


@pytest.mark.parametrize(("height", "ends"), [(0.6, False), (1.3, True)])
def test_an_ant_that_leaps_ends_its_episode(height, ends):
    env = gym.make(SPEED)
    env.reset(seed=0)
    put(env, z=height)
    assert env.step(np.zeros(8, np.float32))[2] == ends


@pytest.mark.parametrize("width", [4.0, 10.0])
def test_walls_are_touched_at_half_the_width_and_not_before(width):
    env = gym.make(HALLWAY, width=width)
    env.reset(seed=0)
    for side, name in ((1.0, "left_wall"), (-1.0, "right_wall")):
        assert walls_touched(put(env, y=side * (width / 2.0 - 1.2))) == set()
        assert walls_touched(put(env, y=side * width / 2.0)) == {name}
        assert walls_touched(put(env, y=side * width / 2.0, x=240.0)) == {name}
    for name, side in (("left_wall", 1.0), ("right_wall", -1.0)):
        wall = env.unwrapped.model.geom(name)
        assert side * wall.pos[1] - wall.size[1] == pytest.approx(width / 2.0)
    assert walls_touched(put(gym.make(SPEED), y=width / 2.0)) == set()


def test_a_wall_stops_an_ant_that_flies_at_it():
    env = AntHallwayEnv(start_noise=0.0)
    reached = {}
    for name, ant in (("hallway", env), ("open", AntSpeedEnv(start_noise=0.0))):
        ant.reset(seed=0)
        velocity = np.zeros(14)
        velocity[1] = 6.0
        ant.set_state(np.r_[0.0, 0.0, 0.8, ant.init_qpos[3:]], velocity)
        reached[name] = max(ant.step(np.zeros(8))[4]["y_position"] for _ in range(16))
    assert reached["open"] > 2.2
    assert 0.8 < reached["hallway"] < 1.75  # the torso's radius is 0.25


def test_walls_reach_further_than_an_episode_leads():
    model = AntHallwayEnv().model
    assert model.geom("left_wall").size.tolist() == [250.0, 0.5, 1.0]
    assert model.geom("left_wall").pos[2] == 0.5
    # 4 m/s for 1000 steps of 0.05 s, as in the paper's table 2.
    assert model.geom("left_wall").size[0] > 4.0 * 1000 * 0.05


def test_observations():
    assert gym.make(SPEED).observation_space.shape == (105,)
    assert gym.make(SPEED, observe_contacts=False).observation_space.shape == (27,)
    env = gym.make(HALLWAY, observe_y=True, observe_contacts=False)
    assert env.observation_space.shape == (28,)
    env.reset(seed=0)
    put(env, y=0.7)
    assert env.unwrapped._get_obs()[-1] == 0.7
    fixed = [gym.make(SPEED, start_noise=0.0).reset(seed=seed)[0] for seed in (0, 1)]
    np.testing.assert_array_equal(*fixed)


def test_headings_follow_the_positions_that_are_not_observed():
    env = gym.make(SPEED)
    tracker = env.unwrapped.coverage_tracker()
    ends, states = [], []
    for seed, heading in enumerate((0.0, 2.0)):
        env.reset(seed=seed)
        velocity = np.zeros(14)
        velocity[:2] = 5.0 * np.cos(heading), 5.0 * np.sin(heading)
        env.unwrapped.set_state(env.unwrapped.data.qpos.copy(), velocity)
        for _ in range(25):
            observation, *_, info = env.step(np.zeros(8, np.float32))
            states.append(observation)
            ends.append(len(states) % 25 == 0)
        found = np.array([info["x_position"], info["y_position"]])
        assert np.arctan2(found[1], found[0]) == pytest.approx(heading, abs=0.2)
        tracker.update(np.array(states[-25:])[:, None], np.array(ends[-25:])[:, None])
        paths = tracker.arrays()["paths"]
        gaps = np.linalg.norm(paths[0, :, -1] - found, axis=1)
        assert gaps.min() < 0.25 * np.linalg.norm(found)
    assert paths.shape == (1, 2, 4, 2)  # of 26 places, 0, 10, 20 and the last
    assert tracker.metrics()["heading_entropy"] == pytest.approx(math.log(2.0))
    assert metric_names(HALLWAY) == ["distance", "heading_entropy", "resultant_length"]


def test_environments_survive_pickling_with_their_walls():
    env = AntHallwayEnv(7.0, observe_y=True, reward="forward")
    other = pickle.loads(pickle.dumps(env))
    assert other.hallway_width == 7.0
    assert other.observation_space == env.observation_space
    assert other.model.geom("left_wall").pos[1] == 4.0


def test_a_wide_hallway_conforms():
    conformance.check(HALLWAY, width=10.0, observe_y=True, observe_contacts=False)


def test_the_frame_shows_two_walls():
    env = gym.make(HALLWAY, start_noise=0.0, render_mode="rgb_array")
    env.reset(seed=0)
    frame = env.render().astype(int)
    env.close()
    assert frame.shape == (480, 480, 3)
    wall = frame[:, 5, 2] > frame[:, 5, 1]  # bluish, where the floor is greenish
    rows = np.flatnonzero(wall)
    assert rows[rows < 240].size > 20
    assert rows[rows > 240].size > 20
    # Inner edges of the walls' tops, 1.5 m up: 2 m from the middle, the camera about 15 m above.
    scale = 240.0 / math.tan(math.radians(22.5)) / (16.0 - 1.0)
    assert rows[rows < 240].max() == pytest.approx(240.0 - 2.0 * scale, abs=8)


def test_the_model_is_gymnasiums_but_for_walls_and_looks():
    ours, reference = AntHallwayEnv().model, gym.make("Ant-v5").unwrapped.model
    assert ours.ngeom == reference.ngeom + 2
    np.testing.assert_array_equal(ours.body_mass, reference.body_mass)
    np.testing.assert_array_equal(ours.actuator_gear, reference.actuator_gear)
    assert ours.opt.integrator == mujoco.mjtIntegrator.mjINT_RK4


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"width": 1.8}, r"width must be above 2, got 1\.8"),
        ({"reward": "x"}, r"reward must be one of .*, got 'x'"),
        ({"control_cost": -1.0}, "control_cost and start_noise must not be negative"),
    ],
)
def test_wrong_arguments(arguments, message):
    with pytest.raises(ValueError, match=message):
        AntHallwayEnv(**arguments)
