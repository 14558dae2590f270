"""What an environment of a few lines of arithmetic defines: n agents in worlds of their own.

:class:`~expedition.envs.array_env.ArrayEnv` makes a single environment of it and
:class:`~expedition.envs.array_vector_env.ArrayVectorEnv` a native vector environment. Both run the
same arithmetic over arrays of agents, and what happens to an agent does not depend on the others.
(Families of tasks have a protocol of their own, :mod:`expedition.envs.task_world`.)
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from gymnasium import spaces
from numpy.typing import NDArray

from expedition.envs.coverage import CoverageTracker

Array = NDArray[np.float64]
Flags = NDArray[np.bool_]
Indices = NDArray[np.intp]


class StepOutcome(NamedTuple):
    """What a step of n agents came to: two arrays of shape (n,)."""

    rewards: Array
    terminations: Flags


class ArrayWorld(ABC):
    """The state of n agents, and the arithmetic of their starts, steps and rewards.

    Args:
        agents: Number of agents n.

    Attributes:
        observation_space: Of one agent.
        action_space: Of one agent.

    Raises:
        ValueError: If an argument is outside its range.
    """

    observation_space: spaces.Box
    action_space: spaces.Box

    def __init__(self, agents: int) -> None:
        if agents < 1:
            raise ValueError(f"num_envs must be at least 1, got {agents}")
        self.agents = agents

    @abstractmethod
    def start(self, agents: Indices, generators: Sequence[np.random.Generator]) -> None:
        """Begin new episodes.

        Args:
            agents: Which agents, shape (k,).
            generators: Their own random numbers, k of them.
        """

    @abstractmethod
    def step(self, actions: Array) -> StepOutcome:
        """Move all agents by one step.

        Args:
            actions: As :meth:`allowed` returns them, shape (n, action dimensions).
        """

    @abstractmethod
    def observations(self) -> Array:
        """What the agents see, a new array of shape (n, observation dimensions)."""

    @abstractmethod
    def places(self) -> Array:
        """Where the agents are in frames, a new array of shape (n, 2)."""

    @abstractmethod
    def frame(self, agent: int, trail: Array) -> NDArray[np.uint8]:
        """Draw one agent's world, shape (height, width, 3).

        Args:
            agent: Which one.
            trail: Its places in this episode, oldest first, shape (T >= 1, 2).
        """

    @abstractmethod
    def coverage_tracker(self) -> CoverageTracker:
        """Return a new tracker of the states visited."""

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
        checked = self.checked(actions)
        return np.clip(checked, self.action_space.low, self.action_space.high, dtype=np.float64)

    def checked(self, actions: NDArray[np.floating]) -> Array:
        """A copy of actions, of shape (n, action dimensions), as they are.

        Raises:
            ValueError: If they have another shape or are not numbers.
        """
        return checked_actions(actions, (self.agents, *self.action_space.shape))


def checked_actions(actions: NDArray[np.floating], shape: tuple[int, ...]) -> Array:
    """A copy of actions.

    Args:
        actions: The actions.
        shape: What their shape must be.

    Raises:
        ValueError: If they have another shape or are not numbers.
    """
    if actions.shape != shape:
        raise ValueError(f"actions must have shape {shape}, got {actions.shape}")
    copied = np.array(actions, dtype=np.float64)
    if np.isnan(copied).any():
        raise ValueError(f"actions must be numbers, got {actions}")
    return copied
