"""Wheeled robots: their start, dynamics and rewards, over arrays of n of them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from gymnasium import spaces
from numpy.typing import NDArray

from expedition.envs.goal_tracker import GoalTracker
from expedition.envs.goals import arc_goals, distances
from expedition.envs.mujoco_camera import Disc
from expedition.envs.mujoco_world import Simulations, load_model
from expedition.envs.task_world import Array, Flags, Indices, Outcome, Reward, TaskWorld

GOAL_RADIUS = 2.0  # m, distance of the goals from the start
SUCCESS_RADIUS = 0.8  # m
MAX_TORQUE = 2.0  # N m, on each wheel at an action of 1
CONTROL_COST = 0.05  # of the squared torques
POSITION_NOISE = 0.01  # standard deviation of the start's positions
VELOCITY_NOISE = 0.1  # and velocities
_EXTENT = 3.5  # m, half the width of the heat map
_JOINTS = 6


class WheeledWorld(TaskWorld):
    """n robots, each on a plane of its own.

    Args:
        agents: Number of robots n.
        reward: ``"dense"`` or ``"sparse"``.
    """

    task_dim = 2

    def __init__(self, agents: int, reward: Reward) -> None:
        super().__init__(agents, reward)
        self.observation_space = spaces.Box(-np.inf, np.inf, (2 * _JOINTS,), np.float64)
        self.action_space = spaces.Box(-1.0, 1.0, (2,), np.float32)
        self._robots = Simulations(load_model("wheeled"), agents)
        self._goal = np.zeros((agents, 2))

    def sample_tasks(self, generator: np.random.Generator, count: int) -> Array:
        """Goals on the upper half circle, shape (count, 2)."""
        return arc_goals(generator, count, radius=GOAL_RADIUS, angle=np.pi)

    def start(
        self, agents: Indices, tasks: Array, generators: Sequence[np.random.Generator]
    ) -> None:
        """Put robots near the origin, nearly at rest."""
        self._goal[agents] = tasks
        for agent, generator in zip(agents, generators, strict=True):
            noise = generator.standard_normal(2 * _JOINTS)
            self._robots.positions[agent] = POSITION_NOISE * noise[:_JOINTS]
            self._robots.velocities[agent] = VELOCITY_NOISE * noise[_JOINTS:]

    def step(self, actions: Array) -> Outcome:
        """Turn the wheels for 0.01 s; actions of shape (n, 2)."""
        torque = MAX_TORQUE * actions
        self._robots.step(torque)
        distance = distances(self._robots.positions, self._goal)
        reached = distance <= SUCCESS_RADIUS
        if self.sparse:
            # Everywhere outside, what a robot at the origin would get.
            away = distances(self._goal, np.zeros(2))
            distance = np.where(reached, distance, away)
        cost = CONTROL_COST * (torque[:, 0] ** 2 + torque[:, 1] ** 2)
        return Outcome(-distance - cost, reached, np.zeros(self.agents, dtype=bool))

    def observations(self) -> Array:
        """Positions and velocities of the joints, shape (n, 12)."""
        return np.concatenate([self._robots.positions, self._robots.velocities], axis=1)

    def reached(self) -> Flags:
        """Whether the robots are within the success radius, shape (n,)."""
        return distances(self._robots.positions, self._goal) <= SUCCESS_RADIUS

    def coverage_tracker(self, goals: Array) -> GoalTracker:
        """Count positions, and the goals that were found."""
        return GoalTracker(goals, success_radius=SUCCESS_RADIUS, extent=_EXTENT)

    def frame(self, agent: int) -> NDArray[np.uint8]:
        """Draw a robot and its goal, shape (480, 480, 3)."""
        x, y = self._goal[agent]
        marks = [
            Disc((x, y, 0.002), SUCCESS_RADIUS, (0.51, 0.78, 0.52, 0.55)),
            Disc((x, y, 0.006), 0.08, (0.18, 0.49, 0.20, 1.0)),
        ]
        return self._robots.frame(agent, marks)

    def state_dict(self) -> dict[str, Any]:
        """Positions, velocities and goals."""
        return {"robots": self._robots.state_dict(), "goal": self._goal.copy()}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Take up a state of as many robots."""
        self._robots.load_state_dict(state["robots"])
        self._goal[:] = state["goal"]
