"""Arms with two targets: their start, dynamics and rewards, over arrays of n of them."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
from gymnasium import spaces
from numpy.typing import NDArray

from expedition.envs.array_world import Array, ArrayWorld, Indices, StepOutcome
from expedition.envs.goal_shares import GoalShares
from expedition.envs.goals import distances
from expedition.envs.mujoco_camera import Disc
from expedition.envs.mujoco_world import MeasuredSimulations, load_model

TARGETS = np.array([[0.05, 0.15], [0.05, -0.15]])  # m
TARGET_RADIUS = 0.05  # m, within which an episode's end counts as at the target
REACH = 0.21  # m, of the stretched arm: where the tip starts, along x
SUBSTEPS = 2  # of 0.01 s
HEIGHT = 0.01  # m, of the plane in which the arm moves

_JOINTS = 2
_TIP = slice(4, 7)  # of a row of measurements; before it cosines, then sines, of the joint angles
_MEASURED = 7
_TIP_OBSERVED = (6, 7)  # x and y in an observation


class BimodalReacherWorld(ArrayWorld):
    """n arms, each with two targets.

    Args:
        agents: Number of arms n.
        control_cost: Weight of the squared action.
        start_noise: Largest start angle of the joints either way, rad.

    Raises:
        ValueError: If an argument is outside its range.
    """

    def __init__(self, agents: int, control_cost: float, start_noise: float) -> None:
        super().__init__(agents)
        if not 0.0 <= control_cost < math.inf:
            raise ValueError(f"control_cost must not be negative, got {control_cost}")
        if not 0.0 <= start_noise <= math.pi:
            raise ValueError(f"start_noise must be from 0 to pi, got {start_noise}")
        self._control_cost, self._start_noise = control_cost, start_noise
        self.observation_space = spaces.Box(-np.inf, np.inf, (9,), np.float64)
        self.action_space = spaces.Box(-1.0, 1.0, (_JOINTS,), np.float32)
        self._arms = MeasuredSimulations(
            load_model("reacher"),
            agents,
            measure=_measure,
            size=_MEASURED,
            substeps=SUBSTEPS,
        )

    def start(self, agents: Indices, generators: Sequence[np.random.Generator]) -> None:
        """Put arms at rest, nearly stretched along x, between the targets."""
        noise = self._start_noise
        for agent, generator in zip(agents, generators, strict=True):
            self._arms.positions[agent] = generator.uniform(-noise, noise, _JOINTS)
        self._arms.velocities[agents] = 0.0
        self._arms.measure(agents)

    def step(self, actions: Array) -> StepOutcome:
        """Drive the joints for 0.02 s; actions of shape (n, 2)."""
        self._arms.step(actions)
        away = distances(self.places()[:, None], TARGETS).min(axis=1)
        effort = actions[:, 0] * actions[:, 0] + actions[:, 1] * actions[:, 1]
        return StepOutcome(-away - self._control_cost * effort, np.zeros(self.agents, dtype=bool))

    def observations(self) -> Array:
        """Cosines and sines, velocities, and the tip's position, shape (n, 9)."""
        measured = self._arms.measured
        turned, tip = measured[:, : _TIP.start], measured[:, _TIP]
        return np.concatenate([turned, self._arms.velocities, tip], axis=1)

    def places(self) -> Array:
        """The tips' x and y, shape (n, 2)."""
        return self._arms.measured[:, _TIP][:, :2].copy()

    def frame(self, agent: int, trail: Array) -> NDArray[np.uint8]:
        """Draw an arm, its tip's trail and the targets from above, shape (480, 480, 3)."""
        green, blue = (0.51, 0.78, 0.52, 0.7), (0.23, 0.43, 0.72, 1.0)
        marks = [Disc((x, y, 0.002), TARGET_RADIUS, green) for x, y in TARGETS]
        marks += [Disc((x, y, 0.004), 0.002, blue) for x, y in trail]
        return self._arms.frame(agent, marks)

    def coverage_tracker(self) -> GoalShares:
        """Count the episodes that end at each target."""
        return GoalShares(
            TARGETS,
            radius=TARGET_RADIUS,
            start=(REACH, 0.0),
            axes=_TIP_OBSERVED,
            final=True,
            name="target",
        )

    def state_dict(self) -> dict[str, Any]:
        """Joint angles, velocities and what follows from them."""
        return {"arms": self._arms.state_dict()}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Take up a state of as many arms."""
        self._arms.load_state_dict(state["arms"])


def _measure(data: Any, row: Array) -> None:
    # One at a time: over arrays NumPy's cosine may differ in the last bit.
    row[:_JOINTS] = [math.cos(angle) for angle in data.qpos]
    row[_JOINTS : _TIP.start] = [math.sin(angle) for angle in data.qpos]
    row[_TIP] = data.body("tip").xpos
