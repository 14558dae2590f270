"""Goals in the plane: their distributions, and distances to them."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]


def arc_goals(generator: np.random.Generator, count: int, *, radius: float, angle: float) -> Array:
    """Draw goals on an arc around the origin that begins at the x axis.

    Args:
        generator: Of random numbers.
        count: How many.
        radius: Of the arc.
        angle: Of the arc, in rad: pi for the upper half circle, 2 pi for the whole.

    Returns:
        Shape (count, 2).
    """
    phi = generator.uniform(0.0, angle, count)
    return radius * np.stack([np.cos(phi), np.sin(phi)], axis=-1)


def distances(positions: Array, goals: Array) -> Array:
    """Euclidean distances between positions and goals of shapes (..., 2).

    Spelt out, so that a distance does not depend on how many are computed at once.
    """
    dx, dy = positions[..., 0] - goals[..., 0], positions[..., 1] - goals[..., 1]
    return np.sqrt(dx * dx + dy * dy)
