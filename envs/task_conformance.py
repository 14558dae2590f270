"""Checks of the task protocol (:mod:`expedition.envs.tasks`), for environments that keep it."""

from __future__ import annotations

from typing import Any, cast, get_args

import gymnasium as gym
import numpy as np

from expedition.envs.conformance_kit import (
    continued,
    expect,
    expect_equal,
    make_sync,
    make_vector,
    rollout,
)
from expedition.envs.snapshot import capture, restore
from expedition.envs.tasks import Array, Split, TaskEnv, set_tasks, tasks_of

_COPIES = 5
_STEPS = 40
_MAX_EPISODE = 1_000  # longest episode that is run to its time limit


def check_tasks(env_id: str, /, **kwargs: Any) -> None:
    """An environment that poses tasks keeps the whole protocol; of others nothing is asked.

    Args:
        env_id: Registered Gymnasium id.
        **kwargs: Arguments of the environment.

    Raises:
        ConformanceError: Naming the first contract that is broken.
    """
    if not isinstance(gym.make(env_id, **kwargs).unwrapped, TaskEnv):
        return
    check_splits(env_id, **kwargs)
    check_reached(env_id, **kwargs)
    check_next_reset(env_id, **kwargs)
    check_task_snapshot(env_id, **kwargs)
    if gym.spec(env_id).vector_entry_point is not None:
        check_vector_tasks(env_id, **kwargs)


def check_splits(env_id: str, /, **kwargs: Any) -> None:
    """Both splits are finite tables, fixed, and the environment's own."""
    for split in get_args(Split):
        tasks = _tasks(gym.make(env_id, **kwargs), split)
        shape, kind = np.shape(tasks), getattr(tasks, "dtype", None)
        expect(len(shape) == 2 and shape[0] > 0, env_id, f"tasks of shape (N, d), not {shape}")
        expect(kind == np.float64, env_id, f"tasks of type float64, not {kind}")
        expect(bool(np.isfinite(tasks).all()), env_id, f"finite {split} tasks")
        env = gym.make(env_id, **kwargs)
        expect_equal(_tasks(env, split), tasks, env_id, f"another environment's {split} tasks")
        _tasks(env, split)[:] = np.nan
        expect_equal(_tasks(env, split), tasks, env_id, f"the {split} tasks after writing to them")


def check_reached(env_id: str, /, **kwargs: Any) -> None:
    """``info["reached"]`` is there at the start and in every step, as a bool."""
    env = gym.make(env_id, **kwargs)
    env.action_space.seed(0)
    infos = [env.reset(seed=0)[1]]
    infos += [env.step(env.action_space.sample())[4] for _ in range(2)]
    for info in infos:
        found = info.get("reached")
        expect(isinstance(found, bool), env_id, f'info["reached"] to be a bool, not {found!r}')


def check_next_reset(env_id: str, /, **kwargs: Any) -> None:
    """A task changes nothing before the next reset, and forgets the one before it."""
    first, last = _two_tasks(env_id, **kwargs)
    one, other = (gym.make(env_id, **kwargs) for _ in range(2))
    for env in (one, other):
        cast(TaskEnv, env.unwrapped).set_task(first)
        env.reset(seed=1)
    cast(TaskEnv, other.unwrapped).set_task(last)
    _same_episode(one, other, env_id, "an episode in whose course a task was set")
    new = gym.make(env_id, **kwargs)
    cast(TaskEnv, new.unwrapped).set_task(last)
    expected = list(rollout(new, seed=2, steps=_STEPS, stop=True))
    found = list(rollout(other, seed=2, steps=_STEPS, stop=True))
    expect_equal(found, expected, env_id, "the first episode of a task set after another")


def check_task_snapshot(env_id: str, /, **kwargs: Any) -> None:
    """A snapshot holds the episode's task, and the one that was set for the next."""
    first, last = _two_tasks(env_id, **kwargs)
    original, other = (gym.make(env_id, **kwargs) for _ in range(2))
    task_env = cast(TaskEnv, original.unwrapped)
    task_env.set_task(last)
    original.reset(seed=3)
    task_env.set_task(first)
    other.reset(seed=4)
    restore(other, capture(original))
    for following in range(2):
        _same_episode(original, other, env_id, f"episode {following} after a restored snapshot")
        expect_equal(other.reset()[0], original.reset()[0], env_id, "a restored copy's next start")


def check_vector_tasks(env_id: str, /, **kwargs: Any) -> None:
    """A native vector form with a task in each copy equals single environments, bit for bit."""
    native, sync = make_vector(env_id, _COPIES, **kwargs), make_sync(env_id, _COPIES, **kwargs)
    for split in get_args(Split):
        found, expected = tasks_of(native, split), tasks_of(sync, split)
        expect_equal(found, expected, env_id, f"the {split} tasks of the vector form")
    tasks = tasks_of(sync, "validation")
    chosen = tasks[np.arange(2 * _COPIES) % len(tasks)]
    for env in (native, sync):
        set_tasks(env, chosen[:_COPIES])
    expect_equal(native.reset(seed=6), sync.reset(seed=6), env_id, "the vector reset with tasks")
    for env in (native, sync):
        set_tasks(env, chosen[_COPIES:])  # each copy's next episode
    limit = native.spec.max_episode_steps if native.spec else None
    native.action_space.seed(2)
    for step in range(min(limit or _STEPS, _MAX_EPISODE) + _STEPS):
        actions = native.action_space.sample()
        expected = sync.step(actions)
        expect_equal(native.step(actions), expected, env_id, f"vector step {step + 1} with tasks")


def _tasks(env: gym.Env, split: Split) -> Array:
    return cast(TaskEnv, env.unwrapped).tasks(split)


def _two_tasks(env_id: str, /, **kwargs: Any) -> tuple[Array, Array]:
    """Two tasks, different ones if there are."""
    tasks = _tasks(gym.make(env_id, **kwargs), "train")
    return tasks[0], tasks[-1]


def _same_episode(one: gym.Env, other: gym.Env, env_id: str, what: str) -> None:
    """Expect the rest of two environments' episodes to be equal."""
    expected = list(continued(one, seed=5, steps=_STEPS, stop=True))
    expect_equal(list(continued(other, seed=5, steps=_STEPS, stop=True)), expected, env_id, what)
