"""A gripper that pushes a block over a table top, reduced to two discs: n of them, as arrays."""

from __future__ import annotations

from typing import Any

import numpy as np
from gymnasium import spaces
from numpy.typing import NDArray

from expedition.envs.manipulation.layout import LAYOUTS
from expedition.envs.manipulation.reward import ManipulationReward
from expedition.envs.manipulation.table import CENTRE, TABLE_HIGH, TABLE_LOW, is_outside

Array = NDArray[np.float64]
Flags = NDArray[np.bool_]

# Metres.
STEP_LENGTH = 0.05  # of the gripper along each axis under an action of 1
GRIPPER_RADIUS = 0.03
BLOCK_RADIUS = 0.03
# As far from the block and in the same direction as the Fetch arm's gripper, seen from above.
GRIPPER_START = (1.41, 0.78)
REACH = 0.05  # of the gripper beyond each edge of the table
HEIGHT = 0.425  # of both centres, as a block at rest; a block that fell is at 0

# Pieces of a step. The gripper moves at most 0.018 in one, less than the discs' radii together, so
# that it neither jumps over the block nor ends on its far side.
SUBSTEPS = 4

_CONTACT = GRIPPER_RADIUS + BLOCK_RADIUS
_GRIPPER_LOW = np.array(TABLE_LOW)[:, None] - REACH
_GRIPPER_HIGH = np.array(TABLE_HIGH)[:, None] + REACH


def observation_space() -> spaces.Box:
    """Action, block and gripper; a block falls within a contact's width of the table's edge."""
    edge_low, edge_high = _GRIPPER_LOW[:, 0], _GRIPPER_HIGH[:, 0]
    low = [-1.0] * 4 + [*(edge_low - _CONTACT), 0.0, *edge_low, 0.0]
    high = [1.0] * 4 + [*(edge_high + _CONTACT), HEIGHT, *edge_high, HEIGHT]
    return spaces.Box(np.array(low), np.array(high), dtype=np.float64)


def action_space() -> spaces.Box:
    """Displacements of the gripper in x, y, z, and its fingers."""
    return spaces.Box(-1.0, 1.0, (4,), np.float32)


class PlanarWorld:
    """Places of n grippers and blocks; each block is pushed by its gripper alone.

    Pushing is quasi-static: a block that the gripper's disc overlaps is moved away along the line
    between the centres until the discs touch. A block whose centre leaves the table falls, stays
    where it fell, and is out of reach.

    Args:
        reward: What a step is paid.
        agents: Number of grippers n.
    """

    def __init__(self, reward: ManipulationReward, agents: int) -> None:
        self.reward = reward
        self._gripper = np.zeros((2, agents))
        self._block = np.zeros((2, agents))
        self._is_fallen = np.zeros(agents, dtype=bool)
        self._actions = np.zeros((agents, 4))
        self.reset(slice(None))

    @property
    def observations(self) -> Array:
        """Actions taken, block and gripper, a new array of shape (n, 10)."""
        layout = LAYOUTS["paper"]
        rows = np.empty((len(self._actions), layout.size))
        rows[:, :4] = self._actions
        rows[:, layout.block : layout.block + 3] = self._block_centres()
        rows[:, layout.gripper : layout.gripper + 2] = self._gripper.T
        rows[:, layout.gripper + 2] = HEIGHT
        return rows

    def reset(self, agents: Flags | slice) -> None:
        """Put the chosen grippers and blocks at their start."""
        self._gripper[:, agents] = np.array(GRIPPER_START)[:, None]
        self._block[:, agents] = np.array(CENTRE)[:, None]
        self._is_fallen[agents] = False
        self._actions[agents] = 0.0

    def step(self, actions: NDArray[np.floating]) -> tuple[Array, Flags, dict[str, Array]]:
        """Move all grippers by one step.

        Args:
            actions: Shape (n, 4), clipped to [-1, 1]; the last two coordinates only cost.

        Returns:
            Rewards (n,), whether the blocks are off the table (n,), and the reward's terms.

        Raises:
            ValueError: If an action is NaN or the shape is another.
        """
        if actions.shape != self._actions.shape:
            raise ValueError(f"actions must have shape {self._actions.shape}, got {actions.shape}")
        self._actions = np.clip(actions.astype(np.float64), -1.0, 1.0)
        if np.isnan(self._actions).any():
            raise ValueError(f"actions must be numbers, got {actions}")
        move = self._actions.T[:2] * (STEP_LENGTH / SUBSTEPS)
        for _ in range(SUBSTEPS):
            self._gripper = np.clip(self._gripper + move, _GRIPPER_LOW, _GRIPPER_HIGH)
            self._push()
        return self._outcome()

    def state_dict(self) -> dict[str, Any]:
        """Places, which blocks have fallen, and the last actions."""
        return {
            "gripper": self._gripper.copy(),
            "block": self._block.copy(),
            "is_fallen": self._is_fallen.copy(),
            "actions": self._actions.copy(),
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Take up a state of as many agents.

        Raises:
            ValueError: If the state is of another number of agents.
        """
        actions = np.array(state["actions"], dtype=np.float64)
        if actions.shape != self._actions.shape:
            raise ValueError(
                f"the state is of {len(actions)} agents, this world has {len(self._actions)}"
            )
        self._gripper = np.array(state["gripper"], dtype=np.float64)
        self._block = np.array(state["block"], dtype=np.float64)
        self._is_fallen = np.array(state["is_fallen"], dtype=bool)
        self._actions = actions

    def _push(self) -> None:
        """Move overlapped blocks away from their grippers; note those that fall."""
        offset = self._block - self._gripper
        squared = offset[0] * offset[0] + offset[1] * offset[1]
        is_pushed = (squared < _CONTACT**2) & (squared > 0.0) & ~self._is_fallen
        if not is_pushed.any():
            return
        scale = _CONTACT / np.sqrt(np.where(is_pushed, squared, 1.0))
        self._block = np.where(is_pushed, self._gripper + offset * scale, self._block)
        self._is_fallen |= is_outside(self._block[0], self._block[1])

    def _block_centres(self) -> Array:
        height = np.where(self._is_fallen, 0.0, HEIGHT)
        return np.column_stack([self._block.T, height])

    def _outcome(self) -> tuple[Array, Flags, dict[str, Array]]:
        block = self._block_centres()
        gripper = np.column_stack([self._gripper.T, np.full(len(block), HEIGHT)])
        values = self.reward.terms(block, gripper, self._actions)
        terms = dict(zip(self.reward.names, values, strict=True))
        rewards = np.zeros(len(block))
        for value in values:
            rewards = rewards + value
        return rewards, self._is_fallen.copy(), terms
