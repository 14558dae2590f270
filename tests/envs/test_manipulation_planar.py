import pickle
import time

import gymnasium as gym
import numpy as np
import pytest
from gymnasium.vector import AutoresetMode

from expedition.envs import conformance
from expedition.envs.manipulation import ManipulationPlanarEnv, ManipulationPlanarVectorEnv
from expedition.envs.manipulation.planar_world import PlanarWorld
from expedition.envs.manipulation.reward import ManipulationReward
from expedition.envs.reward_terms import reward_terms

ID = "expedition/ManipulationPlanar-v0"


def place(env, *, block=(1.3, 0.73), gripper=(1.41, 0.78)):
    """Put block and gripper somewhere."""
    state = env.unwrapped.state_dict()
    state["world"]["block"] = np.array(block)[:, None]
    state["world"]["gripper"] = np.array(gripper)[:, None]
    env.unwrapped.load_state_dict(state)


def move(x, y):
    return np.array([x, y, 0.0, 0.0], dtype=np.float32)


@pytest.mark.parametrize(
    "kwargs",
    [{"target": "half", "side_weight": 0.1, "near_weight": 0.1}, {"terminate": False}],
)
def test_conforms_with_other_arguments(kwargs):
    conformance.check(ID, **kwargs)


def test_start():
    env = gym.make(ID)
    observation, info = env.reset(seed=0)
    start = [0.0] * 4 + [1.3, 0.73, 0.425, 1.41, 0.78, 0.425]
    assert observation.tolist() == start
    assert info == {}
    # As far from the block as the arm's gripper is, and not near.
    assert np.linalg.norm(observation[4:7] - observation[7:]) == pytest.approx(0.121, abs=1e-3)
    assert env.step(move(0, 0))[4]["reward_terms"]["near"] == 0.0


def test_the_gripper_moves_as_told_and_stays_in_reach():
    env = ManipulationPlanarEnv()
    env.reset()
    observation = env.step(np.array([0.5, -1.0, 0.3, 9.0]))[0]
    np.testing.assert_allclose(observation[7:9], [1.435, 0.73])
    assert observation[:4].tolist() == [0.5, -1.0, 0.3, 1.0]  # the action, clipped
    for _ in range(20):
        observation = env.step(move(1, 1))[0]
    np.testing.assert_allclose(observation[7:9], [1.65, 1.17])
    assert observation[4:6].tolist() == [1.3, 0.73]  # untouched


def test_a_straight_push_carries_the_block_in_front():
    env = ManipulationPlanarEnv()
    env.reset()
    place(env, gripper=(1.38, 0.73))
    for k in range(1, 6):
        observation = env.step(move(-1, 0))[0]
        gripper = 1.38 - 0.05 * k
        np.testing.assert_allclose(observation[7:9], [gripper, 0.73])
        block = min(1.3, gripper - 0.06)
        np.testing.assert_allclose(observation[4:6], [block, 0.73])


def test_a_push_off_centre_turns_the_block_aside_and_keeps_the_discs_apart():
    env = ManipulationPlanarEnv()
    env.reset()
    place(env, gripper=(1.38, 0.75))
    distances = []
    for _ in range(6):
        observation = env.step(move(-1, 0))[0]
        distances.append(np.linalg.norm(observation[4:6] - observation[7:9]))
    assert observation[5] < 0.72  # away from the gripper's line
    assert min(distances) > 0.06 - 1e-12


def test_no_step_jumps_over_the_block_or_pulls_it():
    # From all around, in all directions, at full speed: the block moves away from where the
    # gripper was, never towards it.
    world = PlanarWorld(ManipulationReward(), agents=64 * 64)
    turns = np.linspace(0.0, 2 * np.pi, 64, endpoint=False)
    side, heading = (grid.ravel() for grid in np.meshgrid(turns, turns))
    state = world.state_dict()
    outward = np.stack([np.cos(side), np.sin(side)])
    state["gripper"] = np.array([[1.3], [0.73]]) + 0.0601 * outward
    world.load_state_dict(state)
    longest = np.maximum(np.abs(np.cos(heading)), np.abs(np.sin(heading)))
    directions = np.stack([np.cos(heading), np.sin(heading), 0 * heading, 0 * heading]) / longest
    world.step(directions.T)
    moved = world.observations[:, 4:6] - [1.3, 0.73]
    distance = np.linalg.norm(moved, axis=1)
    assert (distance > 0.01).sum() > 64 * 16
    assert distance.max() < 0.071
    assert ((moved * outward.T).sum(axis=1) <= 1e-12).all()


@pytest.mark.parametrize("terminate", [True, False])
def test_a_block_pushed_over_the_edge_falls_and_stays(terminate):
    env = gym.make(ID, terminate=terminate)
    env.reset()
    place(env, block=(1.3, 1.10), gripper=(1.3, 1.03))
    observation, reward, terminated, truncated, info = env.step(move(0, 1))
    assert observation[5] > 1.12
    assert observation[6] == 0.0
    assert env.observation_space.contains(observation)
    assert (terminated, truncated) == (terminate, False)
    # It fell to the floor: 0.425 below the gripper is not near.
    assert info["reward_terms"] == {"off_table": -20.0, "near": 0.0, "action": -0.1}
    assert reward == -20.1
    if not terminate:
        fallen = observation[4:7]
        observation, reward, *_ = env.step(move(0, 0.5))
        assert np.array_equal(observation[4:7], fallen)
        assert reward == pytest.approx(-20.025)


def test_reward_terms_sum_to_the_reward():
    env = gym.make(ID, target="half", side_weight=0.5)
    assert reward_terms(env) == ("off_table", "near", "action", "side")
    env.reset()
    place(env, block=(1.3, 0.8), gripper=(1.39, 0.8))
    _, reward, _, _, info = env.step(np.array([0.0, 0.0, 1.0, 0.0], np.float32))
    terms = info["reward_terms"]
    assert terms == {"off_table": 0.0, "near": 1.0, "action": -0.1, "side": 0.5}
    assert reward == pytest.approx(1.4)


@pytest.mark.parametrize(
    ("n", "kwargs"),
    [(1, {}), (5, {"target": "half", "side_weight": 0.3}), (33, {"terminate": False})],
)
def test_equals_sync_vector_env_to_the_last_bit(n, kwargs):
    vector = {"autoreset_mode": AutoresetMode.SAME_STEP}
    sync = gym.make_vec(ID, n, vectorization_mode="sync", vector_kwargs=vector, **kwargs)
    native = gym.make_vec(ID, n, **kwargs)
    assert isinstance(native, ManipulationPlanarVectorEnv)
    assert reward_terms(native) == reward_terms(sync)
    np.testing.assert_equal(native.reset(seed=1), sync.reset(seed=1))
    rng = np.random.default_rng(0)
    actions = rng.uniform(-1.2, 1.2, (n, 4)).astype(np.float32)
    falls = 0
    for _ in range(160):
        found, expected = native.step(actions), sync.step(actions)
        # Towards the block, so that many are pushed far and some off the table.
        actions = rng.uniform(-0.4, 0.4, (n, 4)).astype(np.float32)
        actions[:, :2] += (found[0][:, 4:6] - found[0][:, 7:9]) / 0.06
        for infos in (found[4], expected[4]):
            infos["final_obs"] = list(infos.get("final_obs", []))  # arrays, or None
        np.testing.assert_equal(found, expected)
        falls += (expected[1] < -19.0).sum()
    assert falls > 0


def test_a_terminated_copy_starts_anew_while_others_go_on():
    env = gym.make_vec(ID, 2, max_episode_steps=50)
    env.reset()
    state = env.unwrapped.state_dict()
    state["world"]["block"][:, 0] = 1.3, 1.11
    state["world"]["gripper"][:, 0] = 1.3, 1.04
    env.unwrapped.load_state_dict(state)
    actions = np.array([[0, 1, 0, 0], [0, 0, 0, 0]], dtype=np.float32)
    observations, rewards, terminations, truncations, infos = env.step(actions)
    assert terminations.tolist() == [True, False]
    assert not truncations.any()
    assert observations[:, 4:6].tolist() == [[1.3, 0.73]] * 2
    assert infos["final_obs"][0][5] > 1.12
    assert infos["final_obs"][1] is None
    assert rewards.tolist() == [-20.1, 0.0]
    assert infos["final_info"]["reward_terms"]["off_table"].tolist() == [-20.0, 0.0]
    assert infos["reward_terms"]["_off_table"].tolist() == [False, True]
    flags = [env.step(np.zeros((2, 4)))[3].tolist() for _ in range(50)]
    assert flags[48] == [False, True]  # 49 more steps
    assert flags[49] == [True, False]


def test_what_random_actions_explore():
    # The reference that learning has to beat. Means over 8 runs of 100 episodes: block 1.22 nats,
    # gripper 4.78; goals found 16 % within 1 episode, 30 % in 10, 60 % in 100.
    env = gym.make_vec(ID, 8)
    tracker = env.unwrapped.coverage_tracker()
    env.reset()
    rng = np.random.default_rng(0)
    states, ends = [], []
    for _ in range(650):
        observations, _, terminations, truncations, infos = env.step(rng.uniform(-1, 1, (8, 4)))
        final = infos.get("final_obs", [None] * 8)
        states.append([o if f is None else f for o, f in zip(observations, final, strict=True)])
        ends.append(terminations | truncations)
    tracker.update(np.array(states), np.array(ends))
    metrics = tracker.metrics()
    assert metrics["block_entropy"] == pytest.approx(1.22, abs=0.5)
    assert metrics["gripper_entropy"] == pytest.approx(4.78, abs=0.15)
    assert metrics["goals_found_1"] == pytest.approx(0.163, abs=0.02)
    assert metrics["goals_found_10"] == pytest.approx(0.295, abs=0.08)
    assert metrics["goals_found_100"] == pytest.approx(0.605, abs=0.21)
    assert metrics["off_table"] <= 0.02


def test_the_environment_pickles_mid_episode():
    env = ManipulationPlanarEnv("half")
    env.reset()
    for _ in range(5):
        env.step(move(-0.9, -0.4))
    copy = pickle.loads(pickle.dumps(env))
    assert np.array_equal(copy.step(move(-1, 0))[0], env.step(move(-1, 0))[0])


def test_wrong_arguments():
    with pytest.raises(ValueError, match="num_envs and max_episode_steps must be at least 1"):
        ManipulationPlanarVectorEnv(0)
    env = ManipulationPlanarVectorEnv(3)
    with pytest.raises(ValueError, match="reset_mask must hold 3 booleans"):
        env.reset(options={"reset_mask": np.ones(2, dtype=bool)})
    env.reset()
    with pytest.raises(ValueError, match=r"actions must have shape \(3, 4\), got \(2, 4\)"):
        env.step(np.zeros((2, 4)))
    with pytest.raises(ValueError, match="actions must be numbers"):
        env.step(np.full((3, 4), np.nan))
    with pytest.raises(ValueError, match="the state is of 3 agents, this world has 2"):
        ManipulationPlanarVectorEnv(2).load_state_dict(env.state_dict())


def test_frames_show_table_block_gripper_and_trail():
    env = gym.make(ID, render_mode="rgb_array")
    env.reset()

    def color(x, y):
        return env.render()[round(200 - (x - 1.3) * 480), round(240 - (y - 0.73) * 480)].tolist()

    assert env.render().shape == (400, 480, 3)
    assert color(1.3, 0.73) == [222, 94, 52]  # block
    assert color(1.41, 0.78) == [58, 110, 184]  # gripper
    assert color(1.1, 0.9) == [232, 241, 230]  # left half
    assert color(1.1, 0.5) == [247, 246, 242]  # right half
    assert color(1.65, 0.73) == [52, 58, 70]  # beside the table
    place(env, gripper=(1.38, 0.73))
    for _ in range(3):
        env.step(move(-1, 0))
    assert color(1.17, 0.73) == [222, 94, 52]
    red, _, blue = color(1.27, 0.73)
    assert red > blue + 20  # the trail
    place(env, block=(1.3, 1.11), gripper=(1.3, 1.04))
    env.step(move(0, 1))
    assert color(1.3, 1.15) == [128, 74, 60]  # fallen
    assert ManipulationPlanarEnv().render() is None


def test_every_copy_has_its_frame():
    env = gym.make_vec(ID, 2, render_mode="rgb_array")
    env.reset()
    for _ in range(4):
        env.step(np.array([[-1.0, -0.4, 0, 0], [0, 0, 0, 0]]))
    moved, still = env.render()
    single = gym.make(ID, render_mode="rgb_array")
    single.reset()
    assert np.array_equal(still, single.render())
    assert not np.array_equal(moved, still)


def test_steps_a_second():
    # A floor far below the usual speed (540,000): it fails when the array form is lost, not on a
    # busy machine.
    env = gym.make_vec(ID, 64)
    env.reset()
    actions = np.random.default_rng(0).uniform(-1.0, 1.0, (200, 64, 4))
    best = np.inf
    for _ in range(5):
        start = time.process_time()
        for action in actions:
            env.step(action)
        best = min(best, time.process_time() - start)
    assert len(actions) * 64 / best > 60_000
