"""A conformance kit for environments: everything the platform relies on, checked.

    from expedition.envs import conformance
    conformance.check("expedition/Navigation-v0", halls=5)

It works on any registered id, of this package or not. A failure is a :class:`ConformanceError` that
says what was expected and what was found.
"""

from __future__ import annotations

import pickle
import warnings
from typing import Any

import gymnasium as gym
import numpy as np
from gymnasium.utils.env_checker import check_env
from gymnasium.vector import AutoresetMode, SyncVectorEnv
from numpy.typing import NDArray

from expedition.envs.conformance_kit import (
    ConformanceError,
    continued,
    expect,
    expect_equal,
    make_sync,
    make_vector,
    rollout,
)
from expedition.envs.coverage import CoverageTracker, tracker_for
from expedition.envs.snapshot import capture, restore
from expedition.envs.task_conformance import check_tasks

_COPIES = 5  # of a vector environment; no multiple of a SIMD width
_STEPS = 40  # of an ordinary roll-out
_MAX_EPISODE = 1_000  # longest episode that is run to its time limit
_RESETS = 50  # behind the comparison of start distributions


def check(env_id: str, /, **kwargs: Any) -> None:
    """Run all checks on an environment.

    Args:
        env_id: Registered Gymnasium id; by position, so that an argument may have this name.
        **kwargs: Arguments of the environment.

    Raises:
        ConformanceError: Naming the first contract that is broken.
    """
    check_api(env_id, **kwargs)
    check_spec_pickles(env_id, **kwargs)
    check_seeding(env_id, **kwargs)
    check_resets(env_id, **kwargs)
    check_time_limit(env_id, **kwargs)
    check_vector(env_id, **kwargs)
    check_snapshot(env_id, **kwargs)
    check_render(env_id, **kwargs)
    check_tracker(env_id, **kwargs)
    check_tasks(env_id, **kwargs)


def check_api(env_id: str, /, **kwargs: Any) -> None:
    """Gymnasium's own checker finds neither an error nor a reason to warn."""
    env = gym.make(env_id, disable_env_checker=True, **kwargs)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        # Velocities and the like have no bounds; saying so with an infinite box is right.
        warnings.filterwarnings("ignore", message=".*infinity.*")
        try:
            check_env(env.unwrapped, skip_render_check=True)
        except (AssertionError, UserWarning) as problem:
            raise ConformanceError(f"{env_id}: {problem}") from problem
    env.close()


def check_spec_pickles(env_id: str, /, **kwargs: Any) -> None:
    """The spec survives pickling and makes the same environment, as remote workers need."""
    env = gym.make(env_id, **kwargs)
    other = gym.make(pickle.loads(pickle.dumps(env.spec)))
    same = other.observation_space == env.observation_space
    expect(same, env_id, "the same observation space from a pickled spec")
    first, second = (list(rollout(e, seed=3, steps=_STEPS)) for e in (env, other))
    expect_equal(first, second, env_id, "the roll-out of an environment made from a pickled spec")


def check_seeding(env_id: str, /, **kwargs: Any) -> None:
    """One seed and the same actions give the same roll-out, in new and in used environments."""
    env = gym.make(env_id, **kwargs)
    first = list(rollout(env, seed=7, steps=_STEPS))
    again = list(rollout(env, seed=7, steps=_STEPS))
    other = list(rollout(gym.make(env_id, **kwargs), seed=7, steps=_STEPS))
    expect_equal(first, again, env_id, "a second roll-out with the same seed")
    expect_equal(first, other, env_id, "a roll-out of a second environment with the same seed")


def check_resets(env_id: str, /, **kwargs: Any) -> None:
    """Start states do not depend on what went before, and are in the observation space.

    The means of fresh starts and of starts after some steps must agree within five standard errors.
    """
    env = gym.make(env_id, **kwargs)
    env.action_space.seed(0)
    fresh, used = [], []
    for k in range(_RESETS):
        observation, _ = env.reset(seed=k)
        expect(env.observation_space.contains(observation), env_id, "start in the space")
        fresh.append(_flat(env, observation))
        _, _, terminated, *_ = env.step(env.action_space.sample())
        if not terminated:
            env.step(env.action_space.sample())
        used.append(_flat(env, env.reset(seed=_RESETS + k)[0]))
    gap = np.abs(np.mean(fresh, axis=0) - np.mean(used, axis=0))
    error = np.sqrt((np.var(fresh, axis=0) + np.var(used, axis=0)) / _RESETS)
    expect(
        bool((gap <= 5.0 * error + 1e-9).all()),
        env_id,
        f"starts that forget the episode before; their means differ by {gap.max():.3g}",
    )


def check_time_limit(env_id: str, /, **kwargs: Any) -> None:
    """The registered time limit truncates, at exactly that step, and does not terminate."""
    env = gym.make(env_id, **kwargs)
    limit = env.spec.max_episode_steps if env.spec else None
    if limit is None or limit > _MAX_EPISODE:
        return
    _, *steps = rollout(env, seed=0, steps=limit, stop=True)
    _, _, terminated, truncated = steps[-1]
    if len(steps) < limit:
        expect(terminated, env_id, f"no truncation before step {limit}, got one at {len(steps)}")
    else:
        expect(terminated or truncated, env_id, f"a truncation at step {limit}")


def check_vector(env_id: str, /, **kwargs: Any) -> None:
    """A native vector form equals ``SyncVectorEnv`` bit for bit, infos included.

    Single environments that draw random numbers cannot be matched by one generator; there only
    shapes, types and determinism would be comparable, so a native form must seed copy ``i`` with
    ``seed + i``, as ``SyncVectorEnv`` does.
    """
    if gym.spec(env_id).vector_entry_point is None:
        return
    native, sync = make_vector(env_id, _COPIES, **kwargs), make_sync(env_id, _COPIES, **kwargs)
    mode = native.metadata.get("autoreset_mode")
    expect(mode is AutoresetMode.SAME_STEP, env_id, f"AutoresetMode.SAME_STEP, not {mode}")
    for name in ("observation_space", "action_space", "single_observation_space"):
        expect(getattr(native, name) == getattr(sync, name), env_id, f"the {name} of SyncVectorEnv")
    expect_equal(native.reset(seed=5), sync.reset(seed=5), env_id, "the vector reset")
    limit = native.spec.max_episode_steps if native.spec else None
    native.action_space.seed(1)
    for step in range(min(limit or _STEPS, _MAX_EPISODE) + _STEPS):
        actions = native.action_space.sample()
        expected = sync.step(actions)
        expect_equal(native.step(actions), expected, env_id, f"vector step {step + 1}")


def check_snapshot(env_id: str, /, **kwargs: Any) -> None:
    """A restored snapshot continues bit for bit, single and vectorised."""
    single = [gym.make(env_id, **kwargs) for _ in range(2)]
    sync = [make_sync(env_id, 2, **kwargs) for _ in range(2)]
    pairs: list[list[Any]] = [single, sync]
    if gym.spec(env_id).vector_entry_point is not None:
        pairs.append([make_vector(env_id, 2, **kwargs) for _ in range(2)])
    for original, other in pairs:
        list(rollout(original, seed=11, steps=_STEPS // 2))
        other.reset(seed=12)
        restore(other, capture(original))
        expected = list(continued(original, seed=13, steps=_STEPS))
        found = list(continued(other, seed=13, steps=_STEPS))
        expect_equal(found, expected, env_id, "the restored copy")


def check_render(env_id: str, /, **kwargs: Any) -> None:
    """``rgb_array`` frames, where declared, are (height, width, 3) bytes and change with time."""
    modes = gym.make(env_id, **kwargs).metadata.get("render_modes", [])
    if "rgb_array" not in modes:
        return
    env = gym.make(env_id, render_mode="rgb_array", **kwargs)
    env.reset(seed=0)
    env.action_space.seed(0)
    first: Any = env.render()
    for _ in range(5):
        env.step(env.action_space.sample())
    frame: Any = env.render()
    env.close()
    expect(frame.ndim == 3 and frame.shape[2] == 3, env_id, f"RGB frames, not {frame.shape}")
    expect(frame.dtype == np.uint8, env_id, f"frames of bytes, not {frame.dtype}")
    expect(not np.array_equal(first, frame), env_id, "frames that change after five steps")


def check_tracker(env_id: str, /, **kwargs: Any) -> None:
    """A declared tracker merges in any order, survives a checkpoint, and reads repeatably."""
    env = make_sync(env_id, 2, **kwargs)
    trackers = [tracker_for(env) for _ in range(6)]
    if trackers[0] is None:
        return
    a, b, a2, b2, again, empty = (tracker for tracker in trackers if tracker is not None)
    expect(isinstance(a, CoverageTracker), env_id, "a tracker with all methods of the protocol")
    names = sorted(empty.metrics())
    expect(bool(np.isfinite([*empty.metrics().values()]).all()), env_id, "finite metrics unfed")
    for seed, tracker_pair in ((1, (a, a2)), (2, (b, b2))):
        batch = _visits(env, seed)
        for tracker in tracker_pair:
            tracker.update(*batch)
    again.load_state_dict(a.state_dict())
    expect_equal(again.metrics(), a.metrics(), env_id, "the metrics of a restored tracker")
    a.merge(b)
    b2.merge(a2)
    expect_equal(a.metrics(), b2.metrics(), env_id, "metrics merged in the other order")
    expect_equal(a.arrays(), b2.arrays(), env_id, "arrays merged in the other order")
    expect(sorted(a.metrics()) == names, env_id, f"always the metrics {names}")


def _visits(env: SyncVectorEnv, seed: int) -> tuple[NDArray[np.floating], NDArray[np.bool_]]:
    """States (T, n, d) and episode ends (T, n) of a roll-out, with true final observations."""
    states, ends = [], []
    env.action_space.seed(seed)
    env.reset(seed=seed)
    for _ in range(_STEPS):
        reached, _, terminations, truncations, infos = env.step(env.action_space.sample())
        final = infos.get("final_obs", [None] * env.num_envs)
        states.append([r if f is None else f for r, f in zip(reached, final, strict=True)])
        ends.append(terminations | truncations)
    return np.array(states), np.array(ends)


def _flat(env: gym.Env, observation: Any) -> NDArray[np.floating]:
    return gym.spaces.flatten(env.observation_space, observation)
