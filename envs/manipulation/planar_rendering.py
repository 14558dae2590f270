"""Pictures of the planar table, drawn in NumPy."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from expedition.envs.drawing import blend_capsule
from expedition.envs.manipulation.layout import LAYOUTS
from expedition.envs.manipulation.planar_world import BLOCK_RADIUS, GRIPPER_RADIUS
from expedition.envs.manipulation.table import CENTRE, TABLE_HIGH, TABLE_LOW

# Seen from above and from the robot: x points up and y to the left.
FRAME_HEIGHT, FRAME_WIDTH = 400, 480  # pixels
PIXELS_PER_METRE = 480.0

# Colours, as RGB from 0 to 255.
FLOOR = np.array([52.0, 58.0, 70.0])
TABLE = np.array([247.0, 246.0, 242.0])
LEFT_HALF = np.array([232.0, 241.0, 230.0])
CENTRE_MARK = np.array([189.0, 189.0, 184.0])
TRAIL_OLD = np.array([244.0, 220.0, 208.0])
TRAIL_NEW = np.array([222.0, 94.0, 52.0])
BLOCK = np.array([222.0, 94.0, 52.0])
FALLEN_BLOCK = np.array([128.0, 74.0, 60.0])
GRIPPER = np.array([58.0, 110.0, 184.0])

TRAIL_PIXELS = 1.5  # half the width
MARK_PIXELS = 3.0


class TableRenderer:
    """Draws one table: its left half tinted, the block with its trail, and the gripper."""

    def __init__(self) -> None:
        self._background = _draw_background()

    def draw(self, trail: NDArray[np.float64]) -> NDArray[np.uint8]:
        """Draw a frame.

        Args:
            trail: Observations of the episode so far, oldest first, shape (T >= 0, 10).

        Returns:
            RGB, shape (400, 480, 3).
        """
        frame = self._background.copy()
        if not len(trail):
            return np.rint(frame).astype(np.uint8)
        layout = LAYOUTS["paper"]
        blocks = _to_pixels(trail[:, layout.block : layout.block + 2])
        gripper = _to_pixels(trail[-1, layout.gripper : layout.gripper + 2])
        age = np.linspace(0.0, 1.0, max(len(blocks) - 1, 1))[:, None]
        colors = (1.0 - age) * TRAIL_OLD + age * TRAIL_NEW
        for start, end, color in zip(blocks, blocks[1:], colors, strict=False):
            blend_capsule(frame, start, end, TRAIL_PIXELS, color)
        is_fallen = trail[-1, layout.block + 2] == 0.0
        color = FALLEN_BLOCK if is_fallen else BLOCK
        blend_capsule(frame, blocks[-1], blocks[-1], BLOCK_RADIUS * PIXELS_PER_METRE, color)
        blend_capsule(frame, gripper, gripper, GRIPPER_RADIUS * PIXELS_PER_METRE, GRIPPER)
        return np.rint(frame).astype(np.uint8)


def _to_pixels(positions: NDArray[np.float64]) -> NDArray[np.float64]:
    """Columns and rows of positions (..., 2); the table's centre is in the middle."""
    offset = (np.array(CENTRE) - positions) * PIXELS_PER_METRE
    middle = np.array([FRAME_WIDTH, FRAME_HEIGHT]) / 2.0
    return middle + offset[..., ::-1]


def _draw_background() -> NDArray[np.float64]:
    frame = np.empty((FRAME_HEIGHT, FRAME_WIDTH, 3))
    frame[:] = FLOOR
    left, top = np.rint(_to_pixels(np.array(TABLE_HIGH))).astype(int)
    right, bottom = np.rint(_to_pixels(np.array(TABLE_LOW))).astype(int)
    frame[top:bottom, left:right] = TABLE
    frame[top:bottom, left : FRAME_WIDTH // 2] = LEFT_HALF
    mark = _to_pixels(np.array(CENTRE))
    blend_capsule(frame, mark, mark, MARK_PIXELS, CENTRE_MARK)
    return frame
