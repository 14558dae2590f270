"""Block pushers: their start, dynamics and rewards, over arrays of n of them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from gymnasium import spaces
from numpy.typing import NDArray

from expedition.envs.goals import distances
from expedition.envs.mujoco_camera import Disc
from expedition.envs.mujoco_world import Simulations, load_model
from expedition.envs.pusher.tasks import (
    BLOCK_HOMES,
    BLOCKS,
    HAND_JOINTS,
    TASK_DIM,
    sample_arrangements,
)
from expedition.envs.pusher.tracker import BlockTracker
from expedition.envs.task_world import Array, Flags, Indices, Outcome, Reward, TaskWorld

SUCCESS_RADIUS = 0.2  # m
REWARD_SCALE = 5.0  # an m
MAX_FORCE = 2.0  # N, and N m on the hand's angle, at an action of 1
_TABLE = -0.325  # m, height
_BLOCK_TOP = -0.224
_JOINTS = HAND_JOINTS + 2 * BLOCKS


class BlockPusherWorld(TaskWorld):
    """n hands, each at a table of its own.

    Args:
        agents: Number of hands n.
        reward: ``"dense"`` or ``"sparse"``.
    """

    task_dim = TASK_DIM

    def __init__(self, agents: int, reward: Reward) -> None:
        super().__init__(agents, reward)
        self.observation_space = spaces.Box(-np.inf, np.inf, (2 * _JOINTS,), np.float64)
        self.action_space = spaces.Box(-1.0, 1.0, (3,), np.float32)
        self._tables = Simulations(load_model("pusher"), agents)
        self._block = np.zeros(agents, dtype=np.intp)
        self._goal = np.zeros((agents, 2))
        self._rows = np.arange(agents)

    def sample_tasks(self, generator: np.random.Generator, count: int) -> Array:
        """Arrangements of blocks, and which belongs where, shape (count, 16)."""
        return sample_arrangements(generator, count)

    def start(
        self, agents: Indices, tasks: Array, generators: Sequence[np.random.Generator]
    ) -> None:
        """Put hands and blocks exactly where the tasks say, at rest."""
        self._block[agents] = tasks[:, 0].astype(np.intp)
        self._goal[agents] = tasks[:, 1:3]
        self._tables.positions[agents] = tasks[:, 3:]
        self._tables.velocities[agents] = 0.0

    def step(self, actions: Array) -> Outcome:
        """Push and turn the hands for 0.01 s; actions of shape (n, 3)."""
        self._tables.step(MAX_FORCE * actions)
        distance = self._distances()
        reached = distance <= SUCCESS_RADIUS
        if self.sparse:
            away = distances(self._goal, np.zeros(2))
            distance = np.where(reached, distance, away)
        return Outcome(-REWARD_SCALE * distance, reached, np.zeros(self.agents, dtype=bool))

    def observations(self) -> Array:
        """The hand's joints, block positions, and all velocities, shape (n, 26)."""
        hand = self._tables.positions[:, :HAND_JOINTS]
        blocks = self._blocks().reshape(self.agents, 2 * BLOCKS)
        return np.concatenate([hand, blocks, self._tables.velocities], axis=1)

    def reached(self) -> Flags:
        """Whether the blocks that matter are within the success radius, shape (n,)."""
        return self._distances() <= SUCCESS_RADIUS

    def coverage_tracker(self, goals: Array) -> BlockTracker:
        """Count the hand's positions, and blocks moved."""
        return BlockTracker()

    def frame(self, agent: int) -> NDArray[np.uint8]:
        """Draw the table from above, the block that matters marked, shape (480, 480, 3)."""
        x, y = self._goal[agent]
        block_x, block_y = self._blocks()[agent, self._block[agent]]
        marks = [
            Disc((x, y, _TABLE + 0.002), SUCCESS_RADIUS, (0.51, 0.78, 0.52, 0.45)),
            Disc((x, y, _TABLE + 0.004), 0.025, (0.18, 0.49, 0.20, 1.0)),
            Disc((block_x, block_y, _BLOCK_TOP), 0.012, (0.18, 0.49, 0.20, 1.0)),
        ]
        return self._tables.frame(agent, marks)

    def state_dict(self) -> dict[str, Any]:
        """Positions, velocities, goals, and the blocks that matter."""
        return {
            "tables": self._tables.state_dict(),
            "goal": self._goal.copy(),
            "block": self._block.copy(),
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Take up a state of as many hands."""
        self._tables.load_state_dict(state["tables"])
        self._goal[:] = state["goal"]
        self._block[:] = state["block"]

    def _blocks(self) -> Array:
        """Positions of the blocks' centres, shape (n, 5, 2)."""
        joints = self._tables.positions[:, HAND_JOINTS:]
        return joints.reshape(self.agents, BLOCKS, 2) + BLOCK_HOMES

    def _distances(self) -> Array:
        """Of the blocks that matter from their goals, shape (n,)."""
        return distances(self._blocks()[self._rows, self._block], self._goal)
