"""Ants that seek goals: their start, dynamics and rewards, over arrays of n of them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import mujoco
import numpy as np
from gymnasium import spaces
from numpy.typing import NDArray

from expedition.envs.goal_tracker import GoalTracker
from expedition.envs.goals import arc_goals, distances
from expedition.envs.mujoco_camera import Disc
from expedition.envs.mujoco_world import MeasuredSimulations, load_model
from expedition.envs.task_world import Array, Flags, Indices, Outcome, Reward, TaskWorld

GOAL_RADIUS = 2.0  # m, distance of the goals from the start
SUCCESS_RADIUS = 0.8  # m
OFFSET = 4.0  # keeps rewards positive, so that falling never pays
SURVIVAL_REWARD = 0.05
CONTROL_COST = 0.005  # of the squared controls
CONTACT_COST = 0.0005  # of the squared, clipped contact forces
HEALTHY_HEIGHT = (0.2, 1.0)  # m, of the torso
START_HEIGHT = 0.55  # m
START_JOINTS = (0.0, 1.0, 0.0, -1.0, 0.0, -1.0, 0.0, 1.0)  # rad, hips and ankles
POSITION_NOISE = 0.01  # standard deviation of the start's positions
VELOCITY_NOISE = 0.1  # and velocities
_EXTENT = 3.0  # m, half the width of the heat map

_POSITIONS, _VELOCITIES, _JOINTS = 15, 14, 8
_TORSO = 1  # body
_FORCES = slice(0, 84)  # of a row of measurements: contact forces, 14 bodies times 6
_ROTATION = slice(84, 93)  # the torso's rotation matrix
_CENTRE = slice(93, 96)  # centre of mass of the whole ant
_MEASURED = 96
_CENTRE_OBSERVED = (122, 123)  # its x and y in an observation


class AntGoalsWorld(TaskWorld):
    """n ants, each on a plane of its own.

    Args:
        agents: Number of ants n.
        reward: ``"dense"`` or ``"sparse"``.
    """

    task_dim = 2

    def __init__(self, agents: int, reward: Reward) -> None:
        super().__init__(agents, reward)
        size = _POSITIONS + _VELOCITIES + _MEASURED
        self.observation_space = spaces.Box(-np.inf, np.inf, (size,), np.float64)
        self.action_space = spaces.Box(-1.0, 1.0, (_JOINTS,), np.float32)
        self._ants = MeasuredSimulations(
            load_model("ant"), agents, measure=self._measure, size=_MEASURED
        )
        self._start = self._ants.model.qpos0.copy()
        self._start[2], self._start[-_JOINTS:] = START_HEIGHT, START_JOINTS
        self._goal = np.zeros((agents, 2))

    def sample_tasks(self, generator: np.random.Generator, count: int) -> Array:
        """Goals on the upper half circle, shape (count, 2)."""
        return arc_goals(generator, count, radius=GOAL_RADIUS, angle=np.pi)

    def start(
        self, agents: Indices, tasks: Array, generators: Sequence[np.random.Generator]
    ) -> None:
        """Put ants near the origin, nearly at rest, a little above the floor."""
        self._goal[agents] = tasks
        for agent, generator in zip(agents, generators, strict=True):
            noise = generator.standard_normal(_POSITIONS + _VELOCITIES)
            self._ants.positions[agent] = self._start + POSITION_NOISE * noise[:_POSITIONS]
            self._ants.velocities[agent] = VELOCITY_NOISE * noise[_POSITIONS:]
        self._ants.measure(agents)
        self._clip_forces()

    def step(self, actions: Array) -> Outcome:
        """Drive the joints for 0.01 s; actions of shape (n, 8)."""
        self._ants.step(actions)
        self._clip_forces()
        away = np.abs(self._centres() - self._goal).sum(axis=1)
        reached = self.reached()
        if self.sparse:
            # Everywhere outside, what an ant at the origin would get.
            away = np.where(reached, away, np.abs(self._goal).sum(axis=1))
        forces = self._ants.measured[:, _FORCES]
        rewards = (
            OFFSET
            - away
            - CONTROL_COST * np.square(actions).sum(axis=1)
            - CONTACT_COST * np.square(forces).sum(axis=1)
            + SURVIVAL_REWARD
        )
        return Outcome(rewards, reached, ~self._healthy())

    def observations(self) -> Array:
        """Positions, velocities, contact forces, rotation, centre of mass, shape (n, 125)."""
        ants = self._ants
        return np.concatenate([ants.positions, ants.velocities, ants.measured], axis=1)

    def reached(self) -> Flags:
        """Whether the ants' centres of mass are within the success radius, shape (n,)."""
        return distances(self._centres(), self._goal) <= SUCCESS_RADIUS

    def coverage_tracker(self, goals: Array) -> GoalTracker:
        """Count positions of the centre of mass, and the goals that were found."""
        return GoalTracker(
            goals, success_radius=SUCCESS_RADIUS, extent=_EXTENT, axes=_CENTRE_OBSERVED
        )

    def frame(self, agent: int) -> NDArray[np.uint8]:
        """Draw an ant and its goal, shape (480, 480, 3)."""
        x, y = self._goal[agent]
        marks = [
            Disc((x, y, 0.002), SUCCESS_RADIUS, (0.51, 0.78, 0.52, 0.55)),
            Disc((x, y, 0.006), 0.08, (0.18, 0.49, 0.20, 1.0)),
        ]
        return self._ants.frame(agent, marks)

    def state_dict(self) -> dict[str, Any]:
        """Positions, velocities, measurements and goals."""
        return {"ants": self._ants.state_dict(), "goal": self._goal.copy()}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Take up a state of as many ants."""
        self._ants.load_state_dict(state["ants"])
        self._goal[:] = state["goal"]

    def _clip_forces(self) -> None:
        forces = self._ants.measured[:, _FORCES]
        np.maximum(forces, -1.0, out=forces)
        np.minimum(forces, 1.0, out=forces)

    def _centres(self) -> Array:
        return self._ants.measured[:, _CENTRE][:, :2]

    def _healthy(self) -> Flags:
        """Whether the ants stand, and their simulations did not diverge, shape (n,)."""
        low, high = HEALTHY_HEIGHT
        height = self._ants.positions[:, 2]
        finite = np.isfinite(self._ants.positions).all(axis=1)
        finite &= np.isfinite(self._ants.velocities).all(axis=1)
        return finite & (height >= low) & (height <= high)

    def _measure(self, data: Any, row: Array) -> None:
        # Without this call the contact forces stay zero.
        mujoco.mj_rnePostConstraint(self._ants.model, data)
        row[_FORCES] = data.cfrc_ext.ravel()
        row[_ROTATION] = data.xmat[_TORSO]
        row[_CENTRE] = data.subtree_com[_TORSO]
