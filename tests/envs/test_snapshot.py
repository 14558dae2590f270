import copy
import enum
import pickle
import subprocess
import sys
from collections import deque

import gymnasium as gym
import numpy as np
import pytest
from gymnasium.vector import AsyncVectorEnv, AutoresetMode, VectorEnv

import expedition.envs  # noqa: F401
from expedition.envs.snapshot import Snapshotable, SnapshotError, capture, restore

NAVIGATION = "expedition/Navigation-v0"


def single(env_id):
    return gym.make(env_id)


def sync(env_id):
    vector = {"autoreset_mode": AutoresetMode.SAME_STEP}
    return gym.make_vec(env_id, 3, vectorization_mode="sync", vector_kwargs=vector)


def sync_next_step(env_id):
    return gym.make_vec(env_id, 3, vectorization_mode="sync")


def native(env_id):
    return gym.make_vec(env_id, 3, vectorization_mode="vector_entry_point")


def wrapped(env_id):
    env = gym.wrappers.FrameStackObservation(gym.make(env_id), 3)
    return gym.wrappers.NormalizeObservation(env)


def advance(env, steps):
    """Step with the environment's own action space, resetting where needed; list the results."""
    results = []
    for _ in range(steps):
        *result, _ = env.step(env.action_space.sample())
        if not isinstance(env, VectorEnv) and (result[2] or result[3]):
            result.append(env.reset()[0])
        results.append(result)
    return results


def begin(env, seed, steps):
    env.reset(seed=seed)
    env.action_space.seed(seed)
    advance(env, steps)
    return env


@pytest.mark.parametrize(
    ("make", "env_id"),
    [
        *[(make, name) for name in (NAVIGATION, "HalfCheetah-v5") for make in (single, sync)],
        *[(make, name) for name in ("Hopper-v5", "Ant-v5") for make in (single, sync)],
        (sync_next_step, "Hopper-v5"),
        (native, NAVIGATION),
        (native, "CartPole-v1"),
        (wrapped, "Hopper-v5"),
        (single, "FrozenLake-v1"),
        (single, "Blackjack-v1"),
    ],
)
def test_a_restored_environment_continues_to_the_last_bit(make, env_id):
    original = begin(make(env_id), seed=3, steps=37)
    state = capture(original)
    other = begin(make(env_id), seed=99, steps=5)
    restore(other, state)
    expected = advance(original, 110)
    np.testing.assert_equal(advance(other, 110), expected)
    # The state was not touched by either continuation.
    restore(other, state)
    np.testing.assert_equal(advance(other, 110), expected)
    original.close()
    other.close()


def test_environments_in_other_processes():
    def make():
        env_fns = [lambda: Snapshotable(gym.make("Hopper-v5"))] * 2
        return AsyncVectorEnv(env_fns, autoreset_mode=AutoresetMode.SAME_STEP)

    original, other = make(), make()
    try:
        begin(original, seed=1, steps=25)
        begin(other, seed=2, steps=5)
        restore(other, capture(original))
        np.testing.assert_equal(advance(other, 60), advance(original, 60))
    finally:
        original.close()
        other.close()


@pytest.mark.parametrize("env_id", [NAVIGATION, "Ant-v5"])
def test_continuing_in_a_new_process(env_id, tmp_path):
    original = begin(sync(env_id), seed=3, steps=30)
    with (tmp_path / "state.pkl").open("wb") as file:
        pickle.dump(capture(original), file)
    script = (
        "import pickle, sys; sys.path.insert(0, sys.argv[1])\n"
        "from test_snapshot import advance, restore, sync\n"
        "env = sync(sys.argv[3]); env.reset(seed=0)\n"
        "restore(env, pickle.load(open(sys.argv[2] + '/state.pkl', 'rb')))\n"
        "pickle.dump(advance(env, 40), open(sys.argv[2] + '/continued.pkl', 'wb'))\n"
    )
    folder = __file__.rpartition("/")[0]
    subprocess.run([sys.executable, "-c", script, folder, str(tmp_path), env_id], check=True)
    with (tmp_path / "continued.pkl").open("rb") as file:
        np.testing.assert_equal(pickle.load(file), advance(original, 40))


def assert_plain(value):
    if isinstance(value, dict):
        assert all(type(key) is str for key in value)
        value = list(value.values())
    if isinstance(value, list):
        for item in value:
            assert_plain(item)
    elif isinstance(value, np.ndarray):
        assert value.dtype.kind in "biufU"
    else:
        assert value is None or type(value) in (bool, int, float, str)
        assert type(value) is not int or abs(value) < 2**63


@pytest.mark.parametrize(
    ("make", "env_id"), [(sync, "Ant-v5"), (native, NAVIGATION), (wrapped, "Hopper-v5")]
)
def test_a_snapshot_is_plain_data(make, env_id):
    assert_plain(capture(begin(make(env_id), seed=0, steps=5)))


def test_a_state_of_something_else_is_refused():
    state = capture(gym.make("Hopper-v5"))
    with pytest.raises(SnapshotError, match=r"PassiveEnvChecker/HopperEnv, not of .*/AntEnv"):
        restore(gym.make("Ant-v5"), state)
    pair = gym.make_vec(NAVIGATION, 2)
    with pytest.raises(SnapshotError, match="positions of shape"):
        restore(gym.make_vec(NAVIGATION, 3), capture(pair))
    with pytest.raises(SnapshotError, match="the state is of 3 environment copies, not of 2"):
        restore(gym.make_vec("Hopper-v5", 2), capture(gym.make_vec("Hopper-v5", 3)))


def test_a_mujoco_state_of_another_model_is_refused():
    state = capture(gym.make("Ant-v5"))
    del state["layers"][-1]["attributes"]["data"]["arrays"]["qpos"]
    with pytest.raises(SnapshotError, match=r"MjData\.qpos has shape \(15,\) here and \(0,\)"):
        restore(gym.make("Ant-v5"), state)


def test_workers_out_of_reach():
    envs = AsyncVectorEnv([lambda: gym.make("CartPole-v1")])
    try:
        with pytest.raises(SnapshotError, match=r"wrap every sub-environment in .*Snapshotable"):
            capture(envs)
        assert envs.reset(seed=0)[0].shape == (1, 4)  # asking did no harm
    finally:
        envs.close()
    pending = AsyncVectorEnv([lambda: Snapshotable(gym.make("CartPole-v1"))])
    try:
        with pytest.raises(SnapshotError, match=r"use AutoresetMode\.SAME_STEP"):
            capture(pending)
    finally:
        pending.close()


class Phase(enum.Enum):
    SEARCH = 1
    RETURN = 2


class Attributes(gym.Env):
    """Holds one attribute of every kind that a snapshot knows."""

    observation_space = gym.spaces.Discrete(1)

    def __init__(self, filled):
        self.action_space = gym.spaces.Dict({"a": gym.spaces.Discrete(9)})
        self.phase = Phase.RETURN if filled else Phase.SEARCH
        self.queue = deque([1, (2, "x")] if filled else [], maxlen=3)
        self.table = {(1, 2): [np.float32(0.5), None]} if filled else {}
        self.seen = {3, 4} if filled else set()
        self.big = 2**100 if filled else 0
        self.objects = np.array([np.ones(2), None], dtype=object) if filled else None
        self.legacy = np.random.RandomState(5 if filled else 6)
        self.nested = Inner(7.0 if filled else 0.0)
        self.kept = lambda: filled


class Inner:
    __slots__ = ("loop", "value")

    def __init__(self, value):
        self.value = value
        self.loop = self


def test_attributes_of_all_kinds():
    original, other = Attributes(filled=True), Attributes(filled=False)
    original.action_space.seed(3)
    state = capture(original)
    assert_plain(state)
    draws = [original.legacy.random(3), [original.action_space.sample() for _ in range(5)]]
    restore(other, state)
    assert other.phase is Phase.RETURN
    assert other.queue == deque([1, (2, "x")])
    assert other.queue.maxlen == 3
    assert other.table == {(1, 2): [np.float32(0.5), None]}
    assert type(other.table[1, 2][0]) is np.float32
    assert other.seen == {3, 4}
    assert other.big == 2**100
    assert other.objects[0].tolist() == [1.0, 1.0]
    assert other.nested.value == 7.0
    assert other.nested.loop is other.nested
    assert other.kept() is False  # functions are part of how an environment is made
    found = [other.legacy.random(3), [other.action_space.sample() for _ in range(5)]]
    np.testing.assert_equal(found, draws)


def test_an_attribute_that_cannot_be_read():
    env = Attributes(filled=True)
    env.cursor = iter([1, 2])
    with pytest.raises(SnapshotError, match=r"Attributes\.cursor, a builtins\.list_iterator"):
        capture(env)


def test_a_snapshot_does_not_decide_how_an_environment_is_drawn():
    state = capture(begin(gym.make(NAVIGATION), seed=0, steps=10))
    env = gym.make(NAVIGATION, render_mode="rgb_array")
    env.reset()
    restore(env, copy.deepcopy(state))
    assert env.unwrapped.render_mode == "rgb_array"
    assert env.render().shape == (400, 400, 3)
