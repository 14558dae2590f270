"""Points in the plane that move by their actions, and have a goal each."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from gymnasium import spaces
from numpy.typing import NDArray

from expedition.envs.drawing import blend, blend_capsule
from expedition.envs.goal_tracker import GoalTracker
from expedition.envs.goals import distances
from expedition.envs.task_world import Array, Flags, Indices, Outcome, Reward, TaskWorld

FRAME_SIZE = 400  # pixels along each side

# Colours, as RGB from 0 to 255.
PLANE = np.array([247.0, 246.0, 242.0])
AXES = np.array([225.0, 223.0, 216.0])
GOAL = np.array([129.0, 199.0, 132.0])
AGENT = np.array([222.0, 94.0, 52.0])
AGENT_PIXELS = 6.0


class PlanarPoint(TaskWorld):
    """Points that start at the origin and move by ``step_size`` times their action.

    A subclass says where goals are (``sample_tasks``) and what a step is worth (``_outcome``).

    Args:
        agents: Number of points n.
        reward: ``"dense"`` or ``"sparse"``.
        step_size: Distance that an action of 1 moves a point.
        success_radius: Distance from the goal at which it counts as reached.
        extent: Half the width of the square that frames and heat maps show.
    """

    task_dim = 2

    def __init__(
        self,
        agents: int,
        reward: Reward,
        *,
        step_size: float,
        success_radius: float,
        extent: float,
    ) -> None:
        super().__init__(agents, reward)
        self.observation_space = spaces.Box(-np.inf, np.inf, (2,), np.float64)
        self.action_space = spaces.Box(-1.0, 1.0, (2,), np.float32)
        self.step_size, self.success_radius, self.extent = step_size, success_radius, extent
        self._position = np.zeros((agents, 2))
        self._goal = np.zeros((agents, 2))

    def start(
        self, agents: Indices, tasks: Array, generators: Sequence[np.random.Generator]
    ) -> None:
        """Put points at the origin; nothing is drawn."""
        self._position[agents] = 0.0
        self._goal[agents] = tasks

    def step(self, actions: Array) -> Outcome:
        """Move all points, shape (n, 2)."""
        self._position += self.step_size * actions
        return self._outcome(distances(self._position, self._goal))

    def observations(self) -> Array:
        """Positions, shape (n, 2)."""
        return self._position.copy()

    def reached(self) -> Flags:
        """Whether the points are within the success radius, shape (n,)."""
        return distances(self._position, self._goal) <= self.success_radius

    def coverage_tracker(self, goals: Array) -> GoalTracker:
        """Count positions, and the goals that were found."""
        return GoalTracker(goals, success_radius=self.success_radius, extent=self.extent)

    def frame(self, agent: int) -> NDArray[np.uint8]:
        """Draw a point, its start and its goal's success radius, shape (400, 400, 3)."""
        frame = np.empty((FRAME_SIZE, FRAME_SIZE, 3))
        frame[:] = PLANE
        middle = FRAME_SIZE // 2
        frame[middle - 1 : middle + 1] = frame[:, middle - 1 : middle + 1] = AXES
        scale = FRAME_SIZE / (2.0 * self.extent)
        centres = (np.arange(FRAME_SIZE) + 0.5) / scale - self.extent
        x, y = np.meshgrid(centres, -centres)
        goal = self._goal[agent]
        depth = self.success_radius - np.hypot(x - goal[0], y - goal[1])
        blend(frame, np.clip(depth * scale + 0.5, 0.0, 1.0), GOAL)
        at = (self._position[agent] * [1.0, -1.0] + self.extent) * scale
        blend_capsule(frame, at, at, AGENT_PIXELS, AGENT)
        return np.rint(frame).astype(np.uint8)

    def state_dict(self) -> dict[str, Any]:
        """Positions and goals, each (n, 2)."""
        return {"position": self._position.copy(), "goal": self._goal.copy()}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Take up a state of as many points."""
        self._position[:] = state["position"]
        self._goal[:] = state["goal"]

    def _outcome(self, distance: Array) -> Outcome:
        """What a step to these distances from the goals, shape (n,), is worth."""
        raise NotImplementedError
