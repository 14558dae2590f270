"""The task protocol: environments that pose one of a family of tasks at a time.

Meta-reinforcement learning trains on tasks drawn from a distribution and is judged on others. An
environment of this kind offers its tasks as rows of an array, and is told which one to pose::

    env = gym.make("expedition/Ring-v0").unwrapped
    env.tasks("train")  # [100, 2], always the same for one ``task_seed``
    env.set_task(env.tasks("validation")[7])  # from the next reset on

Its native vector form poses one task in every copy (``set_tasks``, one row each). In every info,
``"reached"`` says whether the state is inside the task's success radius.

The functions here do the same for any Gymnasium vector environment of such environments.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Literal, Protocol, cast, get_args, runtime_checkable

import numpy as np
from gymnasium.vector import SyncVectorEnv, VectorEnv
from numpy.typing import NDArray

Split = Literal["train", "validation"]
Array = NDArray[np.float64]

TASKS = 100  # in each split, as in Gupta et al. 2018 (arXiv:1802.07245), section 5.1


@runtime_checkable
class TaskEnv(Protocol):
    """An environment, unwrapped, that poses tasks."""

    def tasks(self, split: Split) -> Array:
        """Return the tasks of a split, shape (N, task dimensions)."""
        ...

    def set_task(self, task: Array) -> None:
        """Pose this task, shape (task dimensions,), from the next reset on."""
        ...


@runtime_checkable
class TaskVectorEnv(Protocol):
    """A native vector environment that poses tasks."""

    def tasks(self, split: Split) -> Array:
        """Return the tasks of a split, shape (N, task dimensions)."""
        ...

    def set_tasks(self, tasks: Array) -> None:
        """Pose one task in each copy, shape (num_envs, task dimensions), from its next reset on."""
        ...


def draw_tasks(
    sampler: Callable[[np.random.Generator, int], Array], task_seed: int, split: Split
) -> Array:
    """Draw the fixed tasks of a split.

    Args:
        sampler: Draws tasks: ``sampler(generator, count)`` of shape (count, task dimensions).
        task_seed: Seed of both splits; they are independent.
        split: Which.

    Returns:
        Shape (100, task dimensions), the same for the same arguments.

    Raises:
        ValueError: If there is no such split.
    """
    if split not in get_args(Split):
        raise ValueError(f"split must be one of {get_args(Split)}, got {split!r}")
    stream = get_args(Split).index(split)
    return sampler(np.random.default_rng([task_seed, stream]), TASKS)


def tasks_of(env: VectorEnv, split: Split) -> Array:
    """Return the tasks that the copies of a vector environment can be set.

    Args:
        env: A native vector environment or a ``SyncVectorEnv``, wrapped or not.
        split: Which.

    Returns:
        Shape (N, task dimensions).

    Raises:
        TypeError: If the environment poses no tasks.
    """
    return _asked(env).tasks(split)


def set_tasks(env: VectorEnv, tasks: Array) -> None:
    """Pose one task in each copy of a vector environment, from its next reset on.

    Args:
        env: A native vector environment or a ``SyncVectorEnv``, wrapped or not.
        tasks: Shape (num_envs, task dimensions).

    Raises:
        TypeError: If the environment poses no tasks.
    """
    base = env.unwrapped
    if isinstance(base, SyncVectorEnv):
        _asked(env)
        for copy, task in zip(base.envs, tasks, strict=True):
            cast(TaskEnv, copy.unwrapped).set_task(task)
    else:
        cast(TaskVectorEnv, _asked(env)).set_tasks(tasks)


def reached(infos: dict[str, Any]) -> NDArray[np.bool_]:
    """Whether each copy's step ended inside its task's success radius.

    Args:
        infos: Of a step of a vector environment with same-step resets. In a step that ends an
            episode, ``infos["reached"]`` is of the next episode's start.

    Returns:
        Shape (num_envs,).
    """
    final = infos.get("final_info")
    if final is None:
        return infos["reached"]
    return np.where(infos["_final_info"], final["reached"], infos["reached"])


def _asked(env: VectorEnv) -> TaskEnv | TaskVectorEnv:
    base = env.unwrapped
    if isinstance(base, SyncVectorEnv):
        base = base.envs[0].unwrapped
    if not isinstance(base, TaskEnv | TaskVectorEnv):
        raise TypeError(
            f"{type(base).__name__} poses no tasks: it needs tasks(split) and set_task(task), "
            "or set_tasks(tasks) in a native vector form"
        )
    return base
