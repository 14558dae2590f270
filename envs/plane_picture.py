"""Pictures of an agent in the plane: its trail, goals, walls and curves."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import numpy as np
from numpy.typing import ArrayLike, NDArray

from expedition.envs.drawing import blend_capsule

FRAME_SIZE = 400  # pixels along each side

# Colours, as RGB from 0 to 255.
PLANE = np.array([247.0, 246.0, 242.0])
AXES = np.array([225.0, 223.0, 216.0])
WALL = np.array([52.0, 58.0, 70.0])
GOAL = np.array([129.0, 199.0, 132.0])
CURVE = np.array([170.0, 176.0, 188.0])
TRAIL_OLD = np.array([214.0, 219.0, 230.0])
TRAIL_NEW = np.array([58.0, 110.0, 184.0])
AGENT = np.array([222.0, 94.0, 52.0])

AGENT_PIXELS = 6.0
TRAIL_PIXELS = 1.1  # half the width of the trail


class PlanePicture:
    """A square part of the plane around a centre; x points right and y up.

    Args:
        extent: Half the width that is shown.
        centre: Its middle.
    """

    def __init__(self, extent: float, centre: Sequence[float] = (0.0, 0.0)) -> None:
        self._low = np.asarray(centre, dtype=np.float64) - extent
        self._scale = FRAME_SIZE / (2.0 * extent)  # pixels a unit
        self._frame = np.empty((FRAME_SIZE, FRAME_SIZE, 3))
        self._frame[:] = PLANE
        reach = 2.0 * extent + float(np.abs(centre).max())
        self.curve([[-reach, 0.0], [reach, 0.0]], AXES)
        self.curve([[0.0, -reach], [0.0, reach]], AXES)

    def disc(self, centre: ArrayLike, radius: float, color: NDArray[np.float64]) -> None:
        """Paint a disc; centre and radius in the plane's units."""
        place = self._to_pixels(centre)
        blend_capsule(self._frame, place, place, radius * self._scale, color)

    def curve(self, points: ArrayLike, color: NDArray[np.float64], half_width: float = 1.0) -> None:
        """Join points (T, 2) by lines; ``half_width`` in pixels."""
        places = self._to_pixels(points)
        for start, end in pairwise(places):
            blend_capsule(self._frame, start, end, half_width, color)

    def trail(self, places: NDArray[np.float64]) -> None:
        """Paint where an agent was, shape (T >= 1, 2), oldest first, and the agent at the last."""
        points = self._to_pixels(places)
        age = np.linspace(0.0, 1.0, max(len(points) - 1, 1))[:, None]
        colors = (1.0 - age) * TRAIL_OLD + age * TRAIL_NEW
        for start, end, color in zip(points, points[1:], colors, strict=False):
            blend_capsule(self._frame, start, end, TRAIL_PIXELS, color)
        blend_capsule(self._frame, points[-1], points[-1], AGENT_PIXELS + 1.5, PLANE)
        blend_capsule(self._frame, points[-1], points[-1], AGENT_PIXELS, AGENT)

    def pixels(self) -> NDArray[np.uint8]:
        """The picture, RGB, shape (400, 400, 3)."""
        return np.rint(self._frame).astype(np.uint8)

    def _to_pixels(self, points: ArrayLike) -> NDArray[np.float64]:
        offset = (np.asarray(points, dtype=np.float64) - self._low) * self._scale
        return np.stack([offset[..., 0], FRAME_SIZE - offset[..., 1]], axis=-1)
