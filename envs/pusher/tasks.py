"""The task distribution of the block pusher: blocks in lanes, and where one of them belongs."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

BLOCKS = 5  # as many blocks as lanes, and tasks an arrangement
HAND_JOINTS = 3
TASK_DIM = 3 + HAND_JOINTS + 2 * BLOCKS  # block, goal x, goal y, and the joints' positions
LANE_WIDTH = 0.2  # m, along y; lane 0 begins at y = -0.5
LANES_BEGIN = -0.5
BLOCK_X = (0.35, 0.65)  # m, where blocks start
GOAL_X = (0.75, 0.95)  # m, where goals are

# Where a block is when its joints are at 0, shape (5, 2): the model's body positions.
BLOCK_HOMES = np.stack([0.2 * np.arange(1, BLOCKS + 1), np.zeros(BLOCKS)], axis=-1)


def sample_arrangements(generator: np.random.Generator, count: int) -> Array:
    """Draw tasks, five an arrangement: each block in turn belongs further down its lane.

    Args:
        generator: Of random numbers.
        count: Number of tasks.

    Returns:
        Shape (count, 16): the block's index 0 to 4, its goal x and y, then the start's joint
        positions: the hand's x, y and angle (0), and each block's x and y from its home.
    """
    arrangements = -(-count // BLOCKS)
    block_in_lane = np.stack([generator.permutation(BLOCKS) for _ in range(arrangements)])
    lane_y = LANES_BEGIN + LANE_WIDTH * np.arange(BLOCKS)  # of the right edges
    block_x = generator.uniform(*BLOCK_X, block_in_lane.shape)
    block_y = lane_y + generator.uniform(0.0, LANE_WIDTH, block_in_lane.shape)
    goal_x = generator.uniform(*GOAL_X, block_in_lane.shape)
    goal_y = lane_y + generator.uniform(0.0, LANE_WIDTH, block_in_lane.shape)

    positions = np.empty((arrangements, BLOCKS, 2))
    rows = np.arange(arrangements)[:, None]
    positions[rows, block_in_lane] = np.stack([block_x, block_y], axis=-1)
    tasks = np.zeros((arrangements, BLOCKS, TASK_DIM))
    tasks[..., 0], tasks[..., 1], tasks[..., 2] = block_in_lane, goal_x, goal_y
    joints = (positions - BLOCK_HOMES).reshape(arrangements, 1, 2 * BLOCKS)
    tasks[..., 3 + HAND_JOINTS :] = joints
    return tasks.reshape(-1, TASK_DIM)[:count]
