import pickle
import subprocess
import sys

import gymnasium as gym
import numpy as np
import pytest

from expedition.envs import conformance
from expedition.envs.reward_terms import reward_terms
from expedition.envs.snapshot import capture, restore

pytest.importorskip("gymnasium_robotics", reason="needs the extra 'robotics'")

ID = "expedition/ManipulationFetch-v0"
CLOSED = -1.0


def make(**kwargs):
    return gym.make(ID, disable_env_checker=True, **kwargs)


def reach(env, position, steps, *, observation, stop=lambda observation: False):
    """Move the closed gripper to a position (m); returns the last step."""
    result = (observation, 0.0, False, False, {})
    for _ in range(steps):
        offset = np.clip((np.array(position) - result[0][:3]) / 0.05, -1.0, 1.0)
        result = env.step(np.array([*offset, CLOSED], dtype=np.float32))
        if result[2] or stop(result[0]):
            break
    return result


def push_to(env, y, *, steps=80):
    """Come down on the left of the block and push it right until its y falls below a value."""
    observation, _ = env.reset()
    observation, *_ = reach(env, (1.3, 0.83, 0.53), 10, observation=observation)
    observation, *_ = reach(env, (1.3, 0.83, 0.425), 12, observation=observation)
    return reach(env, (1.3, 0.2, 0.425), steps, observation=observation, stop=lambda o: o[4] < y)


@pytest.mark.slow
@pytest.mark.parametrize(
    "kwargs",
    [{"target": "half", "observation": "paper", "fall_test": "strict"}, {"terminate": False}],
)
def test_conforms_with_other_arguments(kwargs):
    conformance.check(ID, **kwargs)


def test_start():
    env = make()
    observation, info = env.reset(seed=0)
    # Block at the centre of the assumed table, at rest; gripper above and beside it.
    np.testing.assert_allclose(observation[3:6], [1.3, 0.73, 0.4247], atol=1e-4)
    np.testing.assert_allclose(observation[:3], [1.342, 0.749, 0.535], atol=1e-3)
    assert np.linalg.norm(observation[6:9]) == pytest.approx(0.119, abs=1e-3)
    np.testing.assert_allclose(observation[9:11], 0.0407, atol=1e-3)  # the fingers open
    assert info == {}
    assert np.array_equal(env.reset(seed=1)[0], observation)  # nothing is random
    assert env.spec.max_episode_steps == 50


def test_the_observation_is_the_simulators_to_the_last_bit():
    env = make()
    env.reset()
    rng = np.random.default_rng(0)
    for _ in range(45):
        observation, _, terminated, *_ = env.step(rng.uniform(-1, 1, 4).astype(np.float32))
        assert np.array_equal(observation, env.unwrapped._get_obs()["observation"])
        if terminated:
            env.reset()


def test_the_paper_state_is_action_block_gripper():
    full, paper = make(), make(observation="paper")
    assert full.observation_space.shape == (25,)
    assert paper.observation_space.shape == (10,)
    full.reset()
    start, _ = paper.reset()
    assert start[:4].tolist() == [0.0] * 4
    action = np.array([0.5, -0.5, -2.0, 1.0], dtype=np.float32)
    for _ in range(5):
        expected, observation = full.step(action)[0], paper.step(action)[0]
        assert observation[:4].tolist() == [0.5, -0.5, -1.0, 1.0]  # as taken
        assert np.array_equal(observation[4:7], expected[3:6])
        assert np.array_equal(observation[7:], expected[:3])


def test_the_block_can_be_pushed_and_the_sides_are_told_apart():
    env = make(target="half", side_weight=0.5, max_episode_steps=200)
    assert reward_terms(env) == ("off_table", "near", "action", "side")
    observation, reward, terminated, _, info = push_to(env, 0.6)
    assert observation[4] < 0.6
    assert observation[5] == pytest.approx(0.425, abs=0.003)  # on the table
    assert not terminated
    terms = info["reward_terms"]
    assert (terms["off_table"], terms["near"], terms["side"]) == (0.0, 1.0, 0.0)
    assert reward == sum(terms.values())
    env.unwrapped.data.joint("object0:joint").qpos[:2] = 1.3, 0.95
    terms = env.step(np.zeros(4, dtype=np.float32))[4]["reward_terms"]
    assert terms == {"off_table": 0.0, "near": 0.0, "action": 0.0, "side": 0.5}


@pytest.mark.parametrize("terminate", [True, False])
def test_a_block_pushed_over_the_edge_ends_the_episode_unless_told_otherwise(terminate):
    env = make(terminate=terminate, max_episode_steps=200)
    observation, reward, terminated, truncated, info = push_to(env, -1.0)
    assert info["reward_terms"]["off_table"] == -20.0
    assert reward < -18.0
    assert (terminated, truncated) == (terminate, False)
    if not terminate:
        assert observation[5] < 0.1  # on the floor


def test_pressing_the_block_into_the_table_is_a_fall_only_as_released():
    lowest = {}
    for fall_test in ("table", "strict"):
        env = make(fall_test=fall_test)
        observation, _ = env.reset()
        observation, *_ = reach(env, (1.3, 0.73, 0.535), 5, observation=observation)
        observation, _, terminated, *_ = reach(
            env, (1.3, 0.73, 0.3), 15, observation=observation, stop=lambda o: o[5] < 0.42
        )
        lowest[fall_test] = observation[5]
        assert terminated == (fall_test == "strict")
    assert all(0.40 < z < 0.42 for z in lowest.values())


def test_a_snapshot_in_the_middle_of_a_push_continues_exactly():
    env, other = make(max_episode_steps=200), make(max_episode_steps=200)
    push_to(env, 0.68)
    other.reset()
    restore(other, capture(env))
    for _ in range(20):
        action = np.array([0.1, -0.6, 0.0, CLOSED], dtype=np.float32)
        assert np.array_equal(env.step(action)[0], other.step(action)[0])


def test_frames_do_not_change_what_follows():
    drawn, plain = make(render_mode="rgb_array"), make()
    drawn.reset(), plain.reset()
    rng = np.random.default_rng(0)
    for _ in range(10):
        action = rng.uniform(-1, 1, 4).astype(np.float32)
        assert np.array_equal(drawn.step(action)[0], plain.step(action)[0])
        frame = drawn.render()
    drawn.close()
    assert frame.shape == (480, 480, 3)
    assert frame.std() > 20.0


def test_the_environment_pickles():
    env = make(target="half", side_weight=0.3, observation="paper").unwrapped
    copy = pickle.loads(pickle.dumps(env))
    assert copy.reward_terms == env.reward_terms
    action = np.array([0.3, 0.2, -0.9, 0.0])
    env.reset(), copy.reset()
    for _ in range(3):
        found, expected = copy.step(action), env.step(action)
        np.testing.assert_equal(found, expected)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"target": "left"}, "target must be one of uniform, half, got 'left'"),
        ({"fall_test": "soft"}, "fall_test must be one of table, strict"),
        ({"observation": "pixels"}, "observation must be one of full, paper"),
        ({"near_weight": np.nan}, "near_weight must be finite"),
        ({"y_bin": 1.0}, "y_bin must be above 0 and at most 0.39"),
    ],
)
def test_arguments_out_of_range(arguments, message):
    with pytest.raises(ValueError, match=message):
        make(**arguments)


def test_an_action_that_is_not_four_numbers():
    env = make().unwrapped
    env.reset()
    for action in (np.full(4, np.nan), np.zeros(3)):
        with pytest.raises(ValueError, match="an action must be 4 numbers"):
            env.step(action)


def test_the_simulator_package_is_imported_only_when_the_environment_is_made():
    code = (
        "import sys, expedition.envs, expedition.envs.manipulation\n"
        "assert 'gymnasium_robotics' not in sys.modules and 'mujoco' not in sys.modules\n"
        "sys.modules['gymnasium_robotics'] = None  # as if it were not installed\n"
        "import gymnasium\n"
        f"try: gymnasium.make('{ID}')\n"
        "except gymnasium.error.DependencyNotInstalled as error: print(error)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert "pip install 'expedition[robotics]'" in done.stdout
    assert len(done.stdout.splitlines()) == 1


def explore_at_random(env, episodes, rng):
    """Metrics of uniform actions, and the share of episodes that moved the block by 1 cm."""
    tracker = env.unwrapped.coverage_tracker()
    moved = 0
    for _ in range(episodes):
        start, _ = env.reset()
        states, ended = [], False
        while not ended:
            action = rng.uniform(-1.0, 1.0, 4).astype(np.float32)
            observation, _, terminated, truncated, _ = env.step(action)
            states.append(observation)
            ended = terminated or truncated
        moved += (np.linalg.norm(np.array(states)[:, 3:6] - start[3:6], axis=1) > 0.01).any()
        ends = np.arange(len(states))[:, None] == len(states) - 1
        tracker.update(np.array(states)[:, None], ends)
    return tracker.metrics() | {"moved": moved / episodes}


# Mean and standard deviation over 20 runs of 100 episodes. A port of the released environment gave,
# in one run with the strict test: block moved in 0.21 of the episodes, 0.08 to 0.12 end off the
# table, block entropy 0.77, gripper entropy 5.59, goals found 0.13, 0.21, 0.51, 0.71 and 0.73.
AT_RANDOM = {
    "table": {
        "moved": (0.275, 0.040),
        "block_entropy": (0.839, 0.149),
        "gripper_entropy": (5.556, 0.061),
        "off_table": (0.016, 0.010),
        "goals_found_1": (0.162, 0.004),
        "goals_found_10": (0.314, 0.030),
        "goals_found_20": (0.421, 0.044),
        "goals_found_50": (0.599, 0.061),
        "goals_found_100": (0.742, 0.073),
    },
    "strict": {
        "moved": (0.233, 0.047),
        "block_entropy": (0.598, 0.152),
        "gripper_entropy": (5.533, 0.059),
        "off_table": (0.090, 0.022),
        "goals_found_1": (0.155, 0.005),
        "goals_found_10": (0.266, 0.037),
        "goals_found_20": (0.352, 0.056),
        "goals_found_50": (0.508, 0.088),
        "goals_found_100": (0.645, 0.118),
    },
}


@pytest.mark.slow
@pytest.mark.parametrize("fall_test", ["table", "strict"])
def test_what_random_actions_explore(fall_test):
    metrics = explore_at_random(make(fall_test=fall_test), 100, np.random.default_rng(100))
    for name, (mean, deviation) in AT_RANDOM[fall_test].items():
        assert metrics[name] == pytest.approx(mean, abs=3.5 * deviation), name
