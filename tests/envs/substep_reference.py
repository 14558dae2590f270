"""A second, slow implementation of the m-hall physics: many small sub-steps, walls as polygons."""

import numpy as np
from numpy.typing import NDArray

from expedition.envs.navigation import physics
from expedition.envs.navigation.geometry import AGENT_RADIUS

Array = NDArray[np.float64]


def wall_distance(wall: Array, points: Array) -> tuple[Array, Array]:
    """Signed distance (n,) of points (n, 2) to a convex polygon (4, 2), and its direction."""
    corners = np.roll(wall, -1, axis=0)
    best = np.full(len(points), np.inf)
    normal = np.zeros_like(points)
    inside = np.ones(len(points), dtype=bool)
    centre = wall.mean(axis=0)
    for a, b in zip(wall, corners, strict=True):
        along = b - a
        outward = np.array([along[1], -along[0]]) / np.linalg.norm(along)
        outward *= -np.sign((centre - a) @ outward)
        inside &= (points - a) @ outward <= 0.0
        t = np.clip((points - a) @ along / (along @ along), 0.0, 1.0)
        away = points - (a + t[:, None] * along)
        distance = np.linalg.norm(away, axis=1)
        closer = distance < best
        best = np.where(closer, distance, best)
        flat = np.where(distance > 1e-12, 1.0 / np.maximum(distance, 1e-12), 0.0)
        normal = np.where(closer[:, None], away * flat[:, None], normal)
    return np.where(inside, -best, best), np.where(inside[:, None], -normal, normal)


def step(
    walls: list[Array], position: Array, velocity: Array, force: Array, substeps: int
) -> tuple[Array, Array]:
    """One step of all discs; arrays (n, 2)."""
    v = physics.DAMPING * (velocity + physics.SPEED_GAIN * force)
    speed = np.linalg.norm(v, axis=1, keepdims=True)
    v = v * np.minimum(1.0, physics.MAX_SPEED / np.maximum(speed, 1e-12))
    x = position.copy()
    for _ in range(substeps):
        x += physics.TIME_STEP / substeps * v
        for wall in walls:
            distance, normal = wall_distance(wall, x)
            touching = distance < AGENT_RADIUS
            if touching.any():
                x[touching] += (AGENT_RADIUS - distance[touching, None]) * normal[touching]
                v[touching] = bounce(v[touching], normal[touching])
    return x, v


def bounce(v: Array, normal: Array) -> Array:
    """Velocity after touching a wall; unchanged where the disc moves away."""
    approach = -(v * normal).sum(axis=1)
    restitution = np.where(approach > physics.RESTITUTION_SPEED, physics.RESTITUTION, 0.0)
    slide = v + approach[:, None] * normal
    slip = np.linalg.norm(slide, axis=1)
    kept = np.maximum(slip - physics.FRICTION * (1.0 + restitution) * approach, 0.0)
    slide *= (kept / np.maximum(slip, 1e-12))[:, None]
    after = slide + (restitution * approach)[:, None] * normal
    return np.where(approach[:, None] > 0.0, after, v)
