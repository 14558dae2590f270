"""What the conformance checks are made of: roll-outs, and comparisons that name what differs."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from typing import Any

import gymnasium as gym
import numpy as np
from gymnasium.vector import AutoresetMode, SyncVectorEnv, VectorEnv


class ConformanceError(AssertionError):
    """An environment does not keep a contract."""


def make_vector(env_id: str, copies: int, /, **kwargs: Any) -> VectorEnv:
    """Make the native vector form of an environment."""
    return gym.make_vec(env_id, copies, vectorization_mode="vector_entry_point", **kwargs)


def make_sync(env_id: str, copies: int, /, **kwargs: Any) -> SyncVectorEnv:
    """Make a ``SyncVectorEnv`` that resets in the step that ends an episode."""
    return gym.make_vec(
        env_id,
        copies,
        vectorization_mode="sync",
        vector_kwargs={"autoreset_mode": AutoresetMode.SAME_STEP},
        **kwargs,
    )


def rollout(env: Any, *, seed: int, steps: int, stop: bool = False) -> Iterator[tuple[Any, ...]]:
    """The start and random steps of a new episode; ``stop`` ends with it, else others follow."""
    yield (env.reset(seed=seed)[0], 0.0, False, False)
    yield from continued(env, seed=seed, steps=steps, stop=stop)


def continued(env: Any, *, seed: int, steps: int, stop: bool = False) -> Iterator[tuple[Any, ...]]:
    """Steps with random actions in the episodes that follow; see :func:`rollout`."""
    # A space of our own: that of the environment may be shared by all copies of its class.
    actions = copy.deepcopy(env.action_space)
    actions.seed(seed)
    for _ in range(steps):
        observation, reward, terminated, truncated, _ = env.step(actions.sample())
        yield observation, reward, terminated, truncated
        if not isinstance(env, VectorEnv) and (terminated or truncated):
            if stop:
                return
            env.reset()


def _comparable(value: Any) -> Any:
    """Spell out types, and arrays of objects, for a comparison of nested values."""
    if isinstance(value, dict):
        return {key: _comparable(item) for key, item in value.items()}
    if isinstance(value, tuple | list) or (isinstance(value, np.ndarray) and value.dtype.hasobject):
        return [_comparable(item) for item in value]
    return (str(value.dtype), value) if isinstance(value, np.ndarray) else value


def expect(condition: bool, env_id: str, what: str) -> None:
    """Raise a :class:`ConformanceError` that says what was expected."""
    if not condition:
        raise ConformanceError(f"{env_id}: expected {what}")


def expect_equal(found: Any, expected: Any, env_id: str, what: str) -> None:
    """Raise a :class:`ConformanceError` if nested values differ in a bit, type or shape."""
    try:
        np.testing.assert_equal(_comparable(found), _comparable(expected))
    except AssertionError as difference:
        raise ConformanceError(f"{env_id}: {what} differs: {difference}") from difference
