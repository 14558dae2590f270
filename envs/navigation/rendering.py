"""Pictures of the m-hall world, drawn in NumPy."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from expedition.envs.drawing import blend, blend_capsule
from expedition.envs.navigation.geometry import AGENT_RADIUS, GOAL_RADIUS, HallGeometry

FRAME_SIZE = 400  # pixels along each side

# Colours, as RGB from 0 to 255.
WALL = np.array([52.0, 58.0, 70.0])
FLOOR = np.array([247.0, 246.0, 242.0])
GOAL = np.array([129.0, 199.0, 132.0])
TRAIL_OLD = np.array([214.0, 219.0, 230.0])
TRAIL_NEW = np.array([58.0, 110.0, 184.0])
AGENT = np.array([222.0, 94.0, 52.0])

MIN_AGENT_PIXELS = 5.0  # radius; so that agent and goals are seen in long halls
MIN_GOAL_PIXELS = 5.0
TRAIL_PIXELS = 1.1  # half the width of the trail


class HallRenderer:
    """Draws one agent, its trail, the goals and the walls.

    Args:
        geometry: The halls.
    """

    def __init__(self, geometry: HallGeometry) -> None:
        self._extent = 1.05 * geometry.outer_radius
        self._scale = FRAME_SIZE / (2.0 * self._extent)  # pixels a world unit
        self._background = self._draw_background(geometry)

    def draw(self, trail: NDArray[np.float64]) -> NDArray[np.uint8]:
        """Draw a frame.

        Args:
            trail: Positions of the episode so far, oldest first, shape (T >= 0, 2); the agent is
                at the last one.

        Returns:
            RGB, shape (400, 400, 3); x points right and y up.
        """
        frame = self._background.copy()
        points = self._to_pixels(trail)
        age = np.linspace(0.0, 1.0, max(len(points) - 1, 1))[:, None]
        colors = (1.0 - age) * TRAIL_OLD + age * TRAIL_NEW
        for start, end, color in zip(points, points[1:], colors, strict=False):
            blend_capsule(frame, start, end, TRAIL_PIXELS, color)
        if len(points):
            radius = max(AGENT_RADIUS * self._scale, MIN_AGENT_PIXELS)
            blend_capsule(frame, points[-1], points[-1], radius + 1.5, FLOOR)
            blend_capsule(frame, points[-1], points[-1], radius, AGENT)
        return np.rint(frame).astype(np.uint8)

    def _to_pixels(self, positions: NDArray[np.float64]) -> NDArray[np.float64]:
        x, y = positions[..., 0], positions[..., 1]
        return np.stack([x + self._extent, self._extent - y], axis=-1) * self._scale

    def _draw_background(self, geometry: HallGeometry) -> NDArray[np.float64]:
        """Walls, floor and goals, smoothed over a pixel's width; shape (400, 400, 3)."""
        centres = (np.arange(FRAME_SIZE) + 0.5) / self._scale - self._extent
        x, y = np.meshgrid(centres, -centres)
        clearance = geometry.clearance(np.stack([x, y], axis=-1))
        frame = np.empty((FRAME_SIZE, FRAME_SIZE, 3))
        frame[:] = WALL
        blend(frame, np.clip(clearance * self._scale + 0.5, 0.0, 1.0), FLOOR)
        radius = max(GOAL_RADIUS, MIN_GOAL_PIXELS / self._scale)
        for goal_x, goal_y in geometry.goal_positions:
            depth = radius - np.hypot(x - goal_x, y - goal_y)
            if radius == GOAL_RADIUS:  # drawn to scale: the part that can be entered
                depth = np.minimum(depth, clearance)
            blend(frame, np.clip(depth * self._scale + 0.5, 0.0, 1.0), GOAL)
        return frame
