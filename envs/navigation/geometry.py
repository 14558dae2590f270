"""The shape of the m-hall world: where its walls, halls and goals are.

Halls leave a half-open centre like the spokes of a wheel. Between each pair of neighbouring halls
lies one solid convex quadrilateral; a rectangular cap closes the far end of every hall. Lengths are
in world units (the original's metres).

Source: ``StarEnv`` of the code released with Lee et al. 2019, arXiv:1906.05274, re-derived.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

CENTRE_RADIUS = 2.0  # from the origin to the mouth of a hall
HALL_WIDTH = 1.0
CAP_DEPTH = 0.5  # the cap fills the last half unit of a hall
AGENT_RADIUS = 0.1
GOAL_RADIUS = 0.5  # a goal is reached when the agent's centre is strictly closer than this

MIN_HALLS = 3  # with two halls the quadrilateral between them has no area
MAX_HALLS = 12  # with thirteen, neighbouring mouths of width 1 would overlap at radius 2
MIN_HALL_LENGTH = 2.0


@dataclass(frozen=True)
class HallGeometry:
    """An m-hall world.

    Args:
        halls: Number of halls m, 3 to 12; hall k points in the direction ``2 pi k / m``.
        hall_length: Length L of a hall from its mouth to the outer face of its cap, at least 2.
        goals: Indices of the halls that end in a rewarded goal; ``None`` means every hall.

    Raises:
        ValueError: If an argument is outside its range or a goal is repeated.
    """

    halls: int = 3
    hall_length: float = 10.0
    goals: Sequence[int] | None = None

    def __post_init__(self) -> None:
        """Check the arguments; spell out ``goals`` as a tuple."""
        if not MIN_HALLS <= self.halls <= MAX_HALLS or int(self.halls) != self.halls:
            raise ValueError(
                f"halls must be an integer from {MIN_HALLS} to {MAX_HALLS}, got {self.halls!r}"
            )
        if not (math.isfinite(self.hall_length) and self.hall_length >= MIN_HALL_LENGTH):
            raise ValueError(
                f"hall_length must be finite and at least {MIN_HALL_LENGTH}, "
                f"got {self.hall_length!r}"
            )
        goals = tuple(range(self.halls) if self.goals is None else self.goals)
        if not goals or len(set(goals)) < len(goals) or not set(goals) <= set(range(self.halls)):
            raise ValueError(
                f"goals must be distinct hall indices from 0 to {self.halls - 1}, "
                f"at least one, got {self.goals!r}"
            )
        object.__setattr__(self, "goals", goals)

    @cached_property
    def directions(self) -> NDArray[np.float64]:
        """Unit vectors along the halls, shape (halls, 2)."""
        angles = 2.0 * np.pi * np.arange(self.halls) / self.halls
        return np.stack([np.cos(angles), np.sin(angles)], axis=1)

    @property
    def outer_radius(self) -> float:
        """Distance from the origin to the outer face of a cap, R + L."""
        return CENTRE_RADIUS + self.hall_length

    @property
    def goal_distance(self) -> float:
        """Distance from the origin to a hall's end: the inner face of its cap."""
        return self.outer_radius - CAP_DEPTH

    @cached_property
    def hall_ends(self) -> NDArray[np.float64]:
        """The middle of every cap's inner face, shape (halls, 2)."""
        return self.goal_distance * self.directions

    @cached_property
    def goal_positions(self) -> NDArray[np.float64]:
        """Centres of the rewarded goals, shape (number of goals, 2)."""
        return self.hall_ends[list(self.goals or ())]

    @cached_property
    def walls(self) -> list[NDArray[np.float64]]:
        """Solid convex quadrilaterals, each (4, 2): first those between halls, then the caps."""
        half, near, far = HALL_WIDTH / 2.0, CENTRE_RADIUS, self.outer_radius
        walls = []
        for k in range(self.halls):
            left = self._to_world(k, [(near, half), (far, half)])
            right = self._to_world((k + 1) % self.halls, [(far, -half), (near, -half)])
            walls.append(np.concatenate([left, right]))
        for k in range(self.halls):
            inner = self.goal_distance
            corners = [(inner, -half), (far, -half), (far, half), (inner, half)]
            walls.append(self._to_world(k, corners))
        return walls

    def local(self, states: NDArray[np.floating]) -> tuple[NDArray[np.float64], ...]:
        """Express positions in every hall's own frame.

        Args:
            states: Shape (..., d >= 2); the first two coordinates are x and y.

        Returns:
            ``along`` and ``across``, each (..., halls): the distance from the origin along a hall
            and the signed distance from its middle line.
        """
        x, y = states[..., 0, None], states[..., 1, None]
        cos, sin = self.directions[:, 0], self.directions[:, 1]
        return x * cos + y * sin, y * cos - x * sin

    def clearance(self, positions: NDArray[np.floating]) -> NDArray[np.float64]:
        """Signed distance of points to the nearest wall, negative inside walls and outside.

        Args:
            positions: Shape (..., 2).

        Returns:
            Shape (...). Exact inside the world up to the walls' corners, where it is a lower
            bound.
        """
        along, across = self.local(positions)
        beside = HALL_WIDTH / 2.0 - np.abs(across)
        in_halls = np.minimum(np.minimum(along, self.goal_distance - along), beside)
        half_angle = np.pi / self.halls
        to_edge = CENTRE_RADIUS * np.cos(half_angle) + HALL_WIDTH / 2.0 * np.sin(half_angle)
        normals = 2.0 * np.pi * (np.arange(self.halls) + 0.5) / self.halls
        x, y = positions[..., 0, None], positions[..., 1, None]
        in_centre = (to_edge - x * np.cos(normals) - y * np.sin(normals)).min(axis=-1)
        return np.maximum(in_centre, in_halls.max(axis=-1))

    def _to_world(self, hall: int, points: Sequence[tuple[float, float]]) -> NDArray[np.float64]:
        cos, sin = self.directions[hall]
        return np.asarray(points) @ np.array([[cos, sin], [-sin, cos]])
