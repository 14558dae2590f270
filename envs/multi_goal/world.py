"""Points among four goals: their start, dynamics and rewards, over arrays of n of them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal, get_args

import numpy as np
from gymnasium import spaces
from numpy.typing import NDArray

from expedition.envs.array_world import Array, ArrayWorld, Indices, StepOutcome
from expedition.envs.goal_shares import GoalShares
from expedition.envs.plane_picture import GOAL, PlanePicture

Form = Literal["2018", "2017"]

GOALS = np.array([[5.0, 0.0], [-5.0, 0.0], [0.0, 5.0], [0.0, -5.0]])
LIMIT = 7.0  # no coordinate is further from the origin
GOAL_RADIUS = 1.0
GOAL_REWARD = 10.0
ACTION_COST = 30.0  # of the squared velocity
START_NOISE = 0.1  # standard deviation of either coordinate


class MultiGoalWorld(ArrayWorld):
    """n points, each among goals of its own.

    Args:
        agents: Number of points n.
        form: ``"2018"`` or ``"2017"``.

    Raises:
        ValueError: If an argument is outside its range.
    """

    def __init__(self, agents: int, form: Form) -> None:
        super().__init__(agents)
        if form not in get_args(Form):
            raise ValueError(f"form must be one of {get_args(Form)}, got {form!r}")
        self._is_first_form = form == "2017"
        self.observation_space = spaces.Box(-LIMIT, LIMIT, (2,), np.float64)
        self.action_space = spaces.Box(-1.0, 1.0, (2,), np.float32)
        self._position = np.zeros((agents, 2))

    def start(self, agents: Indices, generators: Sequence[np.random.Generator]) -> None:
        """Put points near the origin, in the first form exactly there."""
        self._position[agents] = 0.0
        if not self._is_first_form:
            for agent, generator in zip(agents, generators, strict=True):
                self._position[agent] = generator.normal(0.0, START_NOISE, 2)

    def step(self, actions: Array) -> StepOutcome:
        """Move all points by their actions, shape (n, 2)."""
        reached = np.clip(self._position + actions, -LIMIT, LIMIT)
        judged = self._position if self._is_first_form else reached
        offset = judged[:, None] - GOALS
        dx, dy = offset[..., 0], offset[..., 1]
        nearest = (dx * dx + dy * dy).min(axis=1)
        at_goal = nearest < GOAL_RADIUS**2
        speed = actions[:, 0] * actions[:, 0] + actions[:, 1] * actions[:, 1]
        self._position = reached
        return StepOutcome(-ACTION_COST * speed - nearest + GOAL_REWARD * at_goal, at_goal)

    def observations(self) -> Array:
        """Positions, shape (n, 2)."""
        return self._position.copy()

    def places(self) -> Array:
        """Positions, shape (n, 2)."""
        return self._position.copy()

    def frame(self, agent: int, trail: Array) -> NDArray[np.uint8]:
        """Draw a point, its trail and the goals, shape (400, 400, 3)."""
        picture = PlanePicture(LIMIT)
        for goal in GOALS:
            picture.disc(goal, GOAL_RADIUS, GOAL)
        picture.trail(trail)
        return picture.pixels()

    def coverage_tracker(self) -> GoalShares:
        """Count the episodes that come to each goal."""
        return GoalShares(GOALS, radius=GOAL_RADIUS)

    def state_dict(self) -> dict[str, Any]:
        """Positions, shape (n, 2)."""
        return {"position": self._position.copy()}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Take up a state of as many points."""
        self._position[:] = state["position"]
