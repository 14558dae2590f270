"""Half-cheetahs and their two tasks, over arrays of n of them."""

from __future__ import annotations

from collections.abc import Sequence
from importlib.resources import files
from typing import Any

import mujoco
import numpy as np
from gymnasium import spaces
from numpy.typing import NDArray

from expedition.envs.mujoco_world import MeasuredSimulations
from expedition.envs.state_entropy import StateEntropyTracker
from expedition.envs.task_world import Array, Flags, Indices, Outcome, Reward, TaskWorld

DIRECTIONS = (1.0, -1.0)  # forwards, backwards
CONTROL_COST = 0.05  # of the squared controls
POSITION_NOISE = 0.01  # standard deviation of the start's positions
VELOCITY_NOISE = 0.1  # and velocities

_JOINTS, _MOTORS = 9, 6
_TORSO = 1  # body
_CENTRE = slice(0, 3)  # of a row of measurements: centre of mass of the whole cheetah
_SPEED = 3  # its velocity along x
_MEASURED = 4
_OBSERVED = _JOINTS - 1 + _JOINTS + 3  # x is hidden in the joints, and seen in the centre of mass
_CENTRE_X, _SPEED_X = _OBSERVED - 3, _JOINTS - 1  # in an observation


class HalfCheetahDirectionWorld(TaskWorld):
    """n cheetahs, each on a track of its own.

    Args:
        agents: Number of cheetahs n.
        reward: ``"dense"``; the task has no sparse form.
        frame_skip: Steps of 0.01 s that an action lasts.
    """

    task_dim = 1

    def __init__(self, agents: int, reward: Reward, frame_skip: int) -> None:
        super().__init__(agents, reward)
        if self.sparse:
            raise ValueError('half-cheetah direction has no sparse reward: use reward="dense"')
        if frame_skip < 1:
            raise ValueError(f"frame_skip must be at least 1, got {frame_skip}")
        self.observation_space = spaces.Box(-np.inf, np.inf, (_OBSERVED,), np.float64)
        self.action_space = spaces.Box(-1.0, 1.0, (_MOTORS,), np.float32)
        self._cheetahs = MeasuredSimulations(
            _load_cheetah(),
            agents,
            measure=self._measure,
            size=_MEASURED,
            substeps=frame_skip,
            camera="track",
        )
        self._direction = np.ones(agents)

    def sample_tasks(self, generator: np.random.Generator, count: int) -> Array:
        """Both directions, shape (2, 1): there are no others."""
        return np.array(DIRECTIONS)[:, None]

    def start(
        self, agents: Indices, tasks: Array, generators: Sequence[np.random.Generator]
    ) -> None:
        """Put cheetahs on their feet, nearly at rest."""
        self._direction[agents] = tasks[:, 0]
        for agent, generator in zip(agents, generators, strict=True):
            noise = generator.standard_normal(2 * _JOINTS)
            self._cheetahs.positions[agent] = POSITION_NOISE * noise[:_JOINTS]
            self._cheetahs.velocities[agent] = VELOCITY_NOISE * noise[_JOINTS:]
        self._cheetahs.measure(agents)

    def step(self, actions: Array) -> Outcome:
        """Drive the joints; actions of shape (n, 6)."""
        self._cheetahs.step(actions)
        speed = self._direction * self._cheetahs.measured[:, _SPEED]
        rewards = speed - CONTROL_COST * np.square(actions).sum(axis=1)
        return Outcome(rewards, self.reached(), np.zeros(self.agents, dtype=bool))

    def observations(self) -> Array:
        """Positions but x, velocities, and the centre of mass, shape (n, 20)."""
        cheetahs = self._cheetahs
        centres = cheetahs.measured[:, _CENTRE]
        return np.concatenate([cheetahs.positions[:, 1:], cheetahs.velocities, centres], axis=1)

    def reached(self) -> Flags:
        """Whether the cheetahs move in their tasks' directions, shape (n,)."""
        return self._direction * self._cheetahs.measured[:, _SPEED] > 0.0

    def coverage_tracker(self, goals: Array) -> StateEntropyTracker:
        """Count places along the track, and speeds."""
        return StateEntropyTracker(
            [_CENTRE_X, _SPEED_X], [0.2, 0.2], low=[-10.0, -5.0], high=[10.0, 5.0]
        )

    def frame(self, agent: int) -> NDArray[np.uint8]:
        """Draw a cheetah from the side, shape (480, 480, 3)."""
        return self._cheetahs.frame(agent, [])

    def state_dict(self) -> dict[str, Any]:
        """Positions, velocities, measurements and directions."""
        return {"cheetahs": self._cheetahs.state_dict(), "direction": self._direction.copy()}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Take up a state of as many cheetahs."""
        self._cheetahs.load_state_dict(state["cheetahs"])
        self._direction[:] = state["direction"]

    def _measure(self, data: Any, row: Array) -> None:
        mujoco.mj_subtreeVel(self._cheetahs.model, data)
        row[_CENTRE] = data.subtree_com[_TORSO]
        row[_SPEED] = data.subtree_linvel[_TORSO, 0]


def _load_cheetah() -> Any:
    """Gymnasium's half-cheetah, its constraint solver set to start each step anew."""
    path = files("gymnasium.envs.mujoco").joinpath("assets", "half_cheetah.xml")
    model = mujoco.MjModel.from_xml_string(path.read_text(encoding="utf-8"))
    model.opt.disableflags |= mujoco.mjtDisableBit.mjDSBL_WARMSTART
    return model
