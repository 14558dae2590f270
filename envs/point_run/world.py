"""Points that are paid for their speed, over arrays of n of them."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
from gymnasium import spaces
from numpy.typing import NDArray

from expedition.envs.array_world import Array, ArrayWorld, Indices, StepOutcome
from expedition.envs.headings import HeadingTracker
from expedition.envs.plane_picture import WALL, PlanePicture
from expedition.envs.running import RunReward, check_reward

DAMPING = 0.95  # of the velocity in each step
GAIN = 0.1  # of velocity by an action of 1, units/s
TIME_STEP = 0.1  # s
_EXTENT = 36.0  # half the width of frames: as far as 200 steps can lead along an axis
_WALL_PIXELS = 1.5  # half of a wall's width


class PointRunWorld(ArrayWorld):
    """n points, in the open or each in a hallway of its own.

    Args:
        agents: Number of points n.
        width: Of the hallway; ``None`` means the open plane.
        reward: ``"speed"`` or ``"forward"``.

    Raises:
        ValueError: If an argument is outside its range.
    """

    def __init__(self, agents: int, width: float | None, reward: RunReward) -> None:
        super().__init__(agents)
        if width is not None and not 0.0 < width < math.inf:
            raise ValueError(f"width must be positive or None, got {width}")
        check_reward(reward)
        self._wall = math.inf if width is None else width / 2.0
        self._is_forward = reward == "forward"
        self.observation_space = spaces.Box(-np.inf, np.inf, (4,), np.float64)
        self.action_space = spaces.Box(-1.0, 1.0, (2,), np.float32)
        self._position = np.zeros((agents, 2))
        self._velocity = np.zeros((agents, 2))

    def start(self, agents: Indices, generators: Sequence[np.random.Generator]) -> None:
        """Put points at the origin, at rest; nothing is drawn."""
        self._position[agents] = self._velocity[agents] = 0.0

    def step(self, actions: Array) -> StepOutcome:
        """Accelerate all points by their actions, shape (n, 2)."""
        self._velocity = DAMPING * self._velocity + GAIN * actions
        self._position = self._position + TIME_STEP * self._velocity
        beyond = np.abs(self._position[:, 1]) > self._wall
        self._velocity[beyond, 1] = 0.0
        self._position[:, 1] = np.clip(self._position[:, 1], -self._wall, self._wall)
        x, y = self._velocity[:, 0], self._velocity[:, 1]
        rewards = x.copy() if self._is_forward else np.sqrt(x * x + y * y)
        return StepOutcome(rewards, np.zeros(self.agents, dtype=bool))

    def observations(self) -> Array:
        """Positions and velocities, shape (n, 4)."""
        return np.concatenate([self._position, self._velocity], axis=1)

    def places(self) -> Array:
        """Positions, shape (n, 2)."""
        return self._position.copy()

    def frame(self, agent: int, trail: Array) -> NDArray[np.uint8]:
        """Draw a point, its trail and the walls, shape (400, 400, 3)."""
        picture = PlanePicture(_EXTENT)
        if self._wall < _EXTENT:
            for y in (-self._wall, self._wall):
                picture.curve([[-_EXTENT, y], [_EXTENT, y]], WALL, _WALL_PIXELS)
        picture.trail(trail)
        return picture.pixels()

    def coverage_tracker(self) -> HeadingTracker:
        """Where episodes run to."""
        return HeadingTracker((0, 1))

    def state_dict(self) -> dict[str, Any]:
        """Positions and velocities, each (n, 2)."""
        return {"position": self._position.copy(), "velocity": self._velocity.copy()}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Take up a state of as many points."""
        self._position[:] = state["position"]
        self._velocity[:] = state["velocity"]
