"""What a family of tasks defines: n agents in worlds of their own, each with its own task.

:class:`~expedition.envs.task_env.WorldEnv` makes a single environment of it and
:class:`~expedition.envs.task_vector_env.WorldVectorEnv` a native vector environment. Both run the
same arithmetic over arrays of agents, and what happens to an agent does not depend on the others.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Any, Literal, NamedTuple, get_args

import numpy as np
from gymnasium import spaces
from numpy.typing import NDArray

from expedition.envs.array_world import checked_actions
from expedition.envs.coverage import CoverageTracker

Array = NDArray[np.float64]
Flags = NDArray[np.bool_]
Indices = NDArray[np.intp]
Reward = Literal["dense", "sparse"]


class Outcome(NamedTuple):
    """What a step of n agents came to: three arrays of shape (n,)."""

    rewards: Array
    reached: Flags  # inside the success radius
    terminations: Flags


class TaskWorld(ABC):
    """The state of n agents, and the arithmetic of their steps and rewards.

    Args:
        agents: Number of agents n.
        reward: ``"dense"`` or ``"sparse"``.

    Attributes:
        observation_space: Of one agent.
        action_space: Of one agent.
        task_dim: Length of a task.

    Raises:
        ValueError: If an argument is outside its range.
    """

    observation_space: spaces.Box
    action_space: spaces.Box
    task_dim: int

    def __init__(self, agents: int, reward: Reward) -> None:
        if agents < 1:
            raise ValueError(f"num_envs must be at least 1, got {agents}")
        if reward not in get_args(Reward):
            raise ValueError(f"reward must be one of {get_args(Reward)}, got {reward!r}")
        self.agents = agents
        self.sparse = reward == "sparse"

    @abstractmethod
    def sample_tasks(self, generator: np.random.Generator, count: int) -> Array:
        """Draw tasks from the family's distribution, shape (count, task_dim)."""

    @abstractmethod
    def start(
        self, agents: Indices, tasks: Array, generators: Sequence[np.random.Generator]
    ) -> None:
        """Begin new episodes.

        Args:
            agents: Which agents, shape (k,).
            tasks: Their tasks, shape (k, task_dim).
            generators: Their own random numbers, k of them.
        """

    @abstractmethod
    def step(self, actions: Array) -> Outcome:
        """Move all agents by one step.

        Args:
            actions: Inside the action space, shape (n, action dimensions).
        """

    @abstractmethod
    def observations(self) -> Array:
        """What the agents see, a new array of shape (n, observation dimensions)."""

    @abstractmethod
    def reached(self) -> Flags:
        """Whether the agents are inside their tasks' success radius, shape (n,)."""

    @abstractmethod
    def frame(self, agent: int) -> NDArray[np.uint8]:
        """Draw one agent's world, shape (height, width, 3)."""

    @abstractmethod
    def coverage_tracker(self, goals: Array) -> CoverageTracker:
        """Return a new tracker of the states visited.

        Args:
            goals: The tasks whose discovery it counts, shape (N, task_dim).
        """

    @abstractmethod
    def state_dict(self) -> dict[str, Any]:
        """Everything the future of the episodes depends on, as plain arrays."""

    @abstractmethod
    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Continue from a state of :meth:`state_dict` of as many agents."""

    def allowed(self, actions: NDArray[np.floating]) -> Array:
        """Actions as the agents carry them out: clipped to the action space.

        Args:
            actions: Shape (n, action dimensions).

        Raises:
            ValueError: If they have another shape or are not numbers.
        """
        clipped = checked_actions(actions, (self.agents, *self.action_space.shape))
        np.maximum(clipped, -1.0, out=clipped)
        np.minimum(clipped, 1.0, out=clipped)
        return clipped
