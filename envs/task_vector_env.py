"""Many agents that are each posed a task, stepped as arrays."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar

import numpy as np
from gymnasium.vector import AutoresetMode, VectorEnv
from gymnasium.vector.utils import batch_space
from numpy.typing import ArrayLike, NDArray

from expedition.envs.array_vector_env import final_infos
from expedition.envs.coverage import CoverageTracker
from expedition.envs.task_env import RENDER_FPS, checked_tasks
from expedition.envs.task_world import Array, Flags, TaskWorld
from expedition.envs.tasks import Split, draw_tasks
from expedition.envs.vector_seeds import CopyGenerators, Seed, reset_mask


class WorldVectorEnv(VectorEnv[Array, NDArray[np.float32], NDArray[Any]]):
    """The native vector environment of a family of tasks.

    It returns, to the last bit, what ``SyncVectorEnv`` of the family's single environments with
    ``AutoresetMode.SAME_STEP`` returns, infos included, in a fraction of the time: at an episode's
    end the observation is the next episode's first, and the last one is in ``infos["final_obs"]``.

    Args:
        world: The family's world of n agents.
        task_seed: Seed of the training and validation tasks.
        task: The task of the first episodes; ``None`` means the first training task.
        max_episode_steps: Horizon; the episode is truncated after so many steps.
        render_mode: ``"rgb_array"`` or ``None``.

    Raises:
        ValueError: If an argument is outside its range.
    """

    metadata: ClassVar[dict[str, Any]] = {
        "render_modes": ["rgb_array"],
        "render_fps": RENDER_FPS,
        "autoreset_mode": AutoresetMode.SAME_STEP,
    }

    def __init__(
        self,
        world: TaskWorld,
        *,
        task_seed: int,
        task: Sequence[float] | None,
        max_episode_steps: int,
        render_mode: str | None,
    ) -> None:
        if max_episode_steps < 1:
            raise ValueError(f"max_episode_steps must be at least 1, got {max_episode_steps}")
        self.world = world
        self.num_envs = world.agents
        self.task_seed = task_seed
        self.single_observation_space = world.observation_space
        self.single_action_space = world.action_space
        self.observation_space = batch_space(world.observation_space, self.num_envs)
        self.action_space = batch_space(world.action_space, self.num_envs)
        self.max_episode_steps = max_episode_steps
        self.render_mode = render_mode
        self._elapsed = np.zeros(self.num_envs, dtype=np.int64)
        self._generators = CopyGenerators(self.num_envs)
        first = np.asarray(self.tasks("train")[0] if task is None else task)
        self.set_tasks(np.repeat(first[None], self.num_envs, axis=0))

    def tasks(self, split: Split) -> Array:
        """Return the fixed tasks of a split, shape (N, task dimensions)."""
        return draw_tasks(self.world.sample_tasks, self.task_seed, split)

    def set_tasks(self, tasks: ArrayLike) -> None:
        """Pose one task in each copy, shape (n, task dimensions), from its next reset on.

        Raises:
            ValueError: If they have another shape.
        """
        self._next_tasks = checked_tasks(tasks, self.world, self.num_envs)

    def reset(
        self, *, seed: Seed = None, options: dict[str, Any] | None = None
    ) -> tuple[Array, dict[str, Any]]:
        """Begin episodes of the tasks set last.

        Args:
            seed: Copy i draws its start states with ``seed + i``; or one seed for each copy.
            options: ``{"reset_mask": bool array (n,)}`` resets only some copies.

        Returns:
            Observations (n, d), and infos with ``"reached"`` (n,).

        Raises:
            ValueError: If the mask or the list of seeds is not of shape (n,).
        """
        mask = reset_mask(options, self.num_envs)
        self._generators.seed(seed, mask)
        self._reset(mask)
        return self.world.observations(), {"reached": self.world.reached(), "_reached": mask.copy()}

    def step(
        self, actions: NDArray[np.floating]
    ) -> tuple[Array, Array, Flags, Flags, dict[str, Any]]:
        """Carry out one action in each copy, clipped to the action space.

        Args:
            actions: Shape (n, action dimensions).

        Returns:
            Observations (n, d), rewards (n,), terminations (n,), truncations (n,), infos.

        Raises:
            ValueError: If the actions have another shape or are NaN.
        """
        outcome = self.world.step(self.world.allowed(np.asarray(actions)))
        self._elapsed += 1
        observations, reached = self.world.observations(), outcome.reached
        truncations = self._elapsed >= self.max_episode_steps
        ended = outcome.terminations | truncations
        infos: dict[str, Any] = {}
        if ended.any():
            last = {"reached": reached & ended, "_reached": ended.copy()}
            infos = final_infos(observations, ended, last)
            self._reset(ended)
            observations, reached = self.world.observations(), self.world.reached()
        infos |= {"reached": reached, "_reached": np.ones(self.num_envs, dtype=bool)}
        return observations, outcome.rewards, outcome.terminations, truncations, infos

    def render(self) -> tuple[NDArray[np.uint8], ...] | None:
        """Draw every copy, each (height, width, 3)."""
        if self.render_mode != "rgb_array":
            return None
        return tuple(self.world.frame(agent) for agent in range(self.num_envs))

    def coverage_tracker(self) -> CoverageTracker:
        """Return a new tracker of states visited and of validation tasks reached."""
        return self.world.coverage_tracker(self.tasks("validation"))

    def state_dict(self) -> dict[str, Any]:
        """Everything the future of the episodes depends on, as plain arrays."""
        return {
            "world": self.world.state_dict(),
            "next_tasks": self._next_tasks.copy(),
            "elapsed": self._elapsed.copy(),
            "generators": self._generators.packed(),
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Continue from a state of :meth:`state_dict`.

        Raises:
            ValueError: If the state is of another number of copies.
        """
        if len(state["elapsed"]) != self.num_envs:
            raise ValueError(
                f"the state is of {len(state['elapsed'])} copies, not of {self.num_envs}"
            )
        self.world.load_state_dict(state["world"])
        self._next_tasks = np.array(state["next_tasks"])
        self._elapsed = np.array(state["elapsed"])
        self._generators.load(state["generators"])

    def _reset(self, mask: Flags) -> None:
        agents = np.flatnonzero(mask)
        self.world.start(agents, self._next_tasks[agents], self._generators.of(mask))
        self._elapsed[agents] = 0
