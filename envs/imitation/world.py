"""Walks on the line between two ends, over arrays of n of them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from gymnasium import spaces
from numpy.typing import NDArray

from expedition.envs.array_world import Array, ArrayWorld, Indices, StepOutcome
from expedition.envs.goal_shares import GoalShares
from expedition.envs.plane_picture import WALL, PlanePicture

LIMIT = 10.0  # where episodes end, either way
HORIZON = 200
START_NOISE = 0.1  # standard deviation of the start
_SHOWN_STEPS = 20.0  # of time, from the lower to the upper edge of a frame


class Imitation1DWorld(ArrayWorld):
    """n walks.

    Args:
        agents: Number of walks n.
    """

    def __init__(self, agents: int) -> None:
        super().__init__(agents)
        self.observation_space = spaces.Box(-LIMIT, LIMIT, (1,), np.float64)
        self.action_space = spaces.Box(-1.0, 1.0, (1,), np.float32)
        self._position = np.zeros(agents)
        self._steps = np.zeros(agents, dtype=np.int64)  # taken in the episode, for frames

    def start(self, agents: Indices, generators: Sequence[np.random.Generator]) -> None:
        """Put walks near the middle."""
        self._steps[agents] = 0
        for agent, generator in zip(agents, generators, strict=True):
            self._position[agent] = generator.normal(0.0, START_NOISE)

    def step(self, actions: Array) -> StepOutcome:
        """Move all walks by their actions, shape (n, 1)."""
        self._position = np.clip(self._position + actions[:, 0], -LIMIT, LIMIT)
        self._steps += 1
        at_end = np.abs(self._position) >= LIMIT
        return StepOutcome(at_end.astype(np.float64), at_end)

    def observations(self) -> Array:
        """Positions, shape (n, 1)."""
        return self._position[:, None].copy()

    def places(self) -> Array:
        """Positions and steps taken, shape (n, 2)."""
        return np.stack([self._position, self._steps.astype(np.float64)], axis=1)

    def frame(self, agent: int, trail: Array) -> NDArray[np.uint8]:
        """Draw the position over the last steps of time, which runs upwards, (400, 400, 3)."""
        height = _SHOWN_STEPS / 2.0 + 2.0
        now = max(trail[-1, 1], _SHOWN_STEPS)
        middle = now - _SHOWN_STEPS / 2.0
        picture = PlanePicture(height, (0.0, middle))
        for end in (-LIMIT, LIMIT):
            picture.curve([[end, middle - height], [end, middle + height]], WALL, 2.0)
        picture.trail(trail)
        return picture.pixels()

    def coverage_tracker(self) -> EndShares:
        """Count the episodes that come to either end."""
        return EndShares()

    def state_dict(self) -> dict[str, Any]:
        """Positions and steps taken, each (n,)."""
        return {"position": self._position.copy(), "steps": self._steps.copy()}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Take up a state of as many walks."""
        self._position[:] = state["position"]
        self._steps[:] = state["steps"]


class EndShares(GoalShares):
    """Shares of the last 1000 episodes that come to the lower and to the upper end.

    Metrics as in the parent class: ``end_share_0`` (at -10), ``end_share_1`` (at 10),
    ``ends_reached``, ``share_entropy``. The parent's plane is the diagonal: the position is taken
    for both coordinates.
    """

    def __init__(self) -> None:
        ends = np.array([[-LIMIT, -LIMIT], [LIMIT, LIMIT]])
        super().__init__(ends, radius=1e-3, axes=(0, 0), final=True, name="end")

    def arrays(self) -> dict[str, Array]:
        """Positions over time.

        Returns:
            ``paths`` (1, episodes, T, 2): steps taken and position; short ones end in NaN.
        """
        paths = super().arrays()["paths"]
        steps = np.arange(paths.shape[2], dtype=np.float64)
        paths[..., 0] = np.where(np.isnan(paths[..., 0]), np.nan, steps)
        return {"paths": paths}
