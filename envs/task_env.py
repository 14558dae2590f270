"""One agent that is posed a task, as a Gymnasium environment."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar

import gymnasium as gym
import numpy as np
from numpy.typing import ArrayLike, NDArray

from expedition.envs.coverage import CoverageTracker
from expedition.envs.task_world import Array, TaskWorld
from expedition.envs.tasks import Split, draw_tasks

RENDER_FPS = 20
_AGENT = np.zeros(1, dtype=np.intp)


class WorldEnv(gym.Env[Array, NDArray[np.float32]]):
    """The single environment of a family of tasks.

    Args:
        world: The family's world of one agent.
        task_seed: Seed of the training and validation tasks.
        task: The task of the first episode; ``None`` means the first training task.
        render_mode: ``"rgb_array"`` or ``None``.

    Raises:
        ValueError: If the task has another shape than the family's tasks.
    """

    metadata: ClassVar[dict[str, Any]] = {
        "render_modes": ["rgb_array"],
        "render_fps": RENDER_FPS,
    }

    def __init__(
        self,
        world: TaskWorld,
        *,
        task_seed: int,
        task: Sequence[float] | None,
        render_mode: str | None,
    ) -> None:
        self.world = world
        self.task_seed = task_seed
        self.observation_space = world.observation_space
        self.action_space = world.action_space
        self.render_mode = render_mode
        self.set_task(self.tasks("train")[0] if task is None else task)

    def tasks(self, split: Split) -> Array:
        """Return the fixed tasks of a split, shape (N, task dimensions)."""
        return draw_tasks(self.world.sample_tasks, self.task_seed, split)

    def set_task(self, task: ArrayLike) -> None:
        """Pose a task, shape (task dimensions,), from the next reset on.

        Raises:
            ValueError: If it has another shape.
        """
        self._next_task = checked_tasks(np.asarray(task)[None], self.world, 1)

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[Array, dict[str, Any]]:
        """Begin an episode of the task set last.

        Args:
            seed: Seeds the start state.
            options: Ignored.

        Returns:
            Observation, and an info with ``"reached"``.
        """
        super().reset(seed=seed)
        self.world.start(_AGENT, self._next_task, [self.np_random])
        return self.world.observations()[0], {"reached": bool(self.world.reached()[0])}

    def step(self, action: NDArray[np.floating]) -> tuple[Array, float, bool, bool, dict[str, Any]]:
        """Carry out an action, clipped to the action space.

        Returns:
            Observation, reward, termination, False (the time limit is a wrapper's), and an info
            with ``"reached"``.

        Raises:
            ValueError: If the action is NaN.
        """
        outcome = self.world.step(self.world.allowed(np.asarray(action)[None]))
        info = {"reached": bool(outcome.reached[0])}
        terminated = bool(outcome.terminations[0])
        return self.world.observations()[0], float(outcome.rewards[0]), terminated, False, info

    def render(self) -> NDArray[np.uint8] | None:
        """Draw the agent and its task, shape (height, width, 3)."""
        return self.world.frame(0) if self.render_mode == "rgb_array" else None

    def coverage_tracker(self) -> CoverageTracker:
        """Return a new tracker of states visited and of validation tasks reached."""
        return self.world.coverage_tracker(self.tasks("validation"))

    def state_dict(self) -> dict[str, Any]:
        """Everything the future of the episode depends on, as plain arrays."""
        return {"world": self.world.state_dict(), "next_task": self._next_task.copy()}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Continue from a state of :meth:`state_dict`."""
        self.world.load_state_dict(state["world"])
        self._next_task = np.array(state["next_task"])


def checked_tasks(tasks: ArrayLike, world: TaskWorld, count: int) -> Array:
    """Copy tasks, of shape (count, task dimensions).

    Raises:
        ValueError: If they have another shape or are not finite.
    """
    tasks = np.array(tasks, dtype=np.float64)
    if tasks.shape != (count, world.task_dim) or not np.isfinite(tasks).all():
        raise ValueError(
            f"expected {count} task(s) of {world.task_dim} finite numbers, got {tasks.tolist()}"
        )
    return tasks
