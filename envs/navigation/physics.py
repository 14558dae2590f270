"""Motion of many independent discs in an m-hall world, in NumPy.

Within one step a disc flies straight between impacts, so no fixed sub-step is needed: the time of
the next impact is solved for in closed form, the disc moved there, its velocity changed by the
impact, and the rest of the step flown likewise. This is what the original's simulator, Box2D, does
for a "bullet" body, and it cannot tunnel through a wall.

Two observations make it cheap. The places a disc's centre may be are a union of convex regions (one
strip a hall, and the centre polygon shrunk by the disc's radius) plus slivers at the hall corners;
a flight that starts and ends in one region meets nothing, and nearly all do. The others meet walls
whose impact times are all computed at once.

Every operation is element-wise in IEEE arithmetic (no BLAS, no reductions across discs), so that
what happens to a disc does not depend, to the last bit, on the other discs of the batch.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from expedition.envs.navigation.geometry import (
    AGENT_RADIUS,
    CENTRE_RADIUS,
    HALL_WIDTH,
    HallGeometry,
)

Array = NDArray[np.float64]

TIME_STEP = 0.01  # seconds
MASS = 0.01 * math.pi * AGENT_RADIUS**2  # density 0.01 times the disc's area
SPEED_GAIN = TIME_STEP / MASS  # units/s gained in one step under unit force, 31.83
DAMPING = 0.9  # linear damping 10: the factor 1 - 10 * TIME_STEP on every step
MAX_SPEED = 200.0  # Box2D moves no body further than 2 units a step
RESTITUTION = 0.3
RESTITUTION_SPEED = 1.0  # slower impacts (units/s along the normal) do not bounce
FRICTION = math.sqrt(1.0 * 0.2)  # Box2D mixes the disc's 1.0 and a static body's default 0.2
MAX_IMPACTS = 8  # of one disc in one step, as Box2D's limit of continuous sub-steps

_TOUCH = 1e-9  # rounding allowance (units): a centre this far inside a wall only touches it
_GRAZING = 1e-12  # flights that approach a wall by less than this (units) do not meet it
_BEHIND = -1e-6  # a centre with less clearance than this (units) is on the wall's other side


class HallPhysics:
    """Moves discs by one step under a force, colliding with the walls of a world.

    Args:
        geometry: The world.
    """

    def __init__(self, geometry: HallGeometry) -> None:
        m = self._halls = geometry.halls
        half_angle, half_width = math.pi / m, HALL_WIDTH / 2.0
        # Flat walls are numbered: m caps, m edges of the centre, m left and m right hall sides.
        # Each faces the disc with a unit normal; ``toward`` points the other way, into the wall.
        angle = 2.0 * half_angle * np.arange(m)
        hall = np.array([np.cos(angle), np.sin(angle)])
        edge = np.array([np.cos(angle + half_angle), np.sin(angle + half_angle)])
        toward = np.hstack([hall, edge, _left_of(hall), -_left_of(hall)])
        beside = np.hstack([_left_of(hall), _left_of(edge), hall, hall])
        # Components of a vector toward all walls, then beside them: shape (8m, 1) for x and for y.
        self._x, self._y = np.hstack([toward, beside])[:, :, None]

        cap, length = geometry.goal_distance, geometry.hall_length
        edge_distance = CENTRE_RADIUS * math.cos(half_angle) + half_width * math.sin(half_angle)
        edge_half = CENTRE_RADIUS * math.sin(half_angle) - half_width * math.cos(half_angle)
        side_middle = CENTRE_RADIUS + length / 2.0
        # By wall, (4m, 1): how far the disc's centre may go toward it, and the part it covers.
        self._stop = _by_wall(m, cap, edge_distance, half_width, half_width) - AGENT_RADIUS
        self._middle = _by_wall(m, 0.0, 0.0, side_middle, side_middle)
        self._reach = _by_wall(m, half_width, edge_half, length / 2.0, length / 2.0)
        # Every side begins with a corner at its near end: walls 4m to 6m.
        corner = CENTRE_RADIUS * beside[:, 2 * m :] + half_width * toward[:, 2 * m :]
        self._corner = np.hstack([np.zeros_like(toward), corner])
        self._normal = np.hstack([-toward, np.zeros_like(corner)])

    def step(self, position: Array, velocity: Array, force: Array) -> tuple[Array, Array]:
        """Advance every disc by one step of 0.01 s.

        Args:
            position: Centres, shape (2, n), inside the world.
            velocity: Units per second, shape (2, n).
            force: Shape (2, n).

        Returns:
            New ``position`` and ``velocity``, shapes (2, n); the arguments are left as they are.
        """
        velocity = DAMPING * (velocity + SPEED_GAIN * force)
        speed = np.sqrt(velocity[0] * velocity[0] + velocity[1] * velocity[1])
        velocity *= MAX_SPEED / np.maximum(speed, MAX_SPEED)
        end = position + TIME_STEP * velocity
        flying = np.flatnonzero(~self._is_free(position, end))
        start, left = position[:, flying], np.full(flying.size, TIME_STEP)
        for _ in range(MAX_IMPACTS):
            if not flying.size:
                return end, velocity
            with np.errstate(divide="ignore", invalid="ignore"):  # walls that are not approached
                start, after, left = self._impact(start, velocity[:, flying], left)
            velocity[:, flying] = after
            beyond = start + left * after
            end[:, flying] = beyond
            again = np.flatnonzero((left > 0.0) & ~self._is_free(start, beyond))
            flying, start, left = flying[again], start[:, again], left[again]
        end[:, flying] = start  # out of impacts: wait at the last wall until the next step
        return end, velocity

    def _is_free(self, start: Array, end: Array) -> NDArray[np.bool_]:
        """Whether a flight stays within one convex region without walls, shape (n,).

        The regions: for every hall, the strip of centres that touch neither of its sides, from
        the origin to its cap; and the centre polygon, shrunk by the disc's radius. (A centre
        that keeps its distance from the line of every edge keeps it from the corners as well.)
        """
        m, n = self._halls, start.shape[1]
        x, y = np.concatenate([start, end], axis=1)
        toward = x * self._x[: 3 * m] + y * self._y[: 3 * m]
        along, edge, across = toward[:m], toward[m : 2 * m], toward[2 * m :]
        in_centre = np.logical_and.reduce(edge <= self._stop[m] + _TOUCH)
        half_cap = 0.5 * self._stop[0]
        in_hall = np.abs(along - half_cap) <= half_cap + _TOUCH
        in_hall &= np.abs(across) <= self._stop[2 * m] + _TOUCH
        same_hall = np.logical_or.reduce(in_hall[:, :n] & in_hall[:, n:])
        return same_hall | (in_centre[:n] & in_centre[n:])

    def _impact(self, start: Array, velocity: Array, left: Array) -> tuple[Array, Array, Array]:
        """Fly each disc to its next impact and change its velocity there.

        Args:
            start: Centres, shape (2, n).
            velocity: Shape (2, n).
            left: Seconds left of the step, shape (n,).

        Returns:
            Centres at the impact (or at the end of the flight), the velocity after it, and the
            seconds left then (0 where there was no impact).
        """
        flight = left * velocity
        times = self._impact_times(start, flight)
        wall = times.argmin(axis=0)
        time = times[wall, np.arange(wall.size)]
        hit = time < 1.0
        time = np.where(hit, time, 1.0)
        centre = start + time * flight
        normal = self._normals(wall, centre)
        after = np.where(hit, _bounce(velocity, normal), velocity)
        return centre, after, np.where(hit, left * (1.0 - time), 0.0)

    def _impact_times(self, start: Array, flight: Array) -> Array:
        """When a flight meets each wall, as a fraction of the flight; infinite if never.

        Returns:
            Shape (6m, n): the flat walls, then the corners at the near end of every side.
        """
        walls, n = 4 * self._halls, start.shape[1]
        x, y = np.concatenate([start, flight], axis=1)
        components = x * self._x + y * self._y
        place, beside = components[:walls, :n], components[walls:, :n]
        approach, drift = components[:walls, n:], components[walls:, n:]

        clearance = self._stop - place
        time = np.maximum(clearance, 0.0) / approach
        met = approach > _GRAZING
        met &= clearance >= _BEHIND
        met &= np.abs(beside + time * drift - self._middle) <= self._reach
        flat = np.where(met, time, np.inf)

        # In the frame of a side with its corner as the origin: a line meets a circle.
        sides = slice(walls // 2, walls)
        u, v = place[sides] - HALL_WIDTH / 2.0, beside[sides] - CENTRE_RADIUS
        recede = u * approach[sides] + v * drift[sides]
        clearance = u * u + v * v - AGENT_RADIUS**2
        discriminant = recede * recede - (x[n:] * x[n:] + y[n:] * y[n:]) * clearance
        root = np.sqrt(np.maximum(discriminant, 0.0))
        time = np.maximum(clearance, 0.0) / (root - recede)
        met = recede < -_GRAZING
        met &= discriminant > 0.0
        return np.concatenate([flat, np.where(met, time, np.inf)])

    def _normals(self, wall: NDArray[np.intp], centre: Array) -> Array:
        """Unit normals, from walls to discs that touch them, shape (2, n).

        Args:
            wall: Number of the wall that each disc touches, shape (n,).
            centre: Shape (2, n).
        """
        normal = self._normal.take(wall, axis=1)
        at_corner = np.flatnonzero(wall >= 4 * self._halls)
        if at_corner.size:
            corner = self._corner.take(wall[at_corner], axis=1)
            normal[:, at_corner] = (centre[:, at_corner] - corner) / AGENT_RADIUS
        return normal


def _left_of(vectors: Array) -> Array:
    """Turn vectors, shape (2, n), by a quarter to the left."""
    return np.array([-vectors[1], vectors[0]])


def _by_wall(m: int, cap: float, edge: float, left: float, right: float) -> Array:
    """One value for each flat wall, shape (4m, 1)."""
    return np.repeat([cap, edge, left, right], m)[:, None]


def _bounce(velocity: Array, normal: Array) -> Array:
    """Velocity after an impact with a fixed wall: restitution, and friction up to Coulomb's limit.

    Args:
        velocity: Before the impact, toward the wall; shape (2, n).
        normal: Unit normal from the wall to the disc, shape (2, n).

    Returns:
        Shape (2, n).
    """
    (x, y), (normal_x, normal_y) = velocity, normal
    approach = -(x * normal_x + y * normal_y)
    slide = y * normal_x - x * normal_y
    rebound = np.where(approach > RESTITUTION_SPEED, RESTITUTION, 0.0) * approach
    impulse = approach + rebound  # per unit mass
    slide = np.copysign(np.maximum(np.abs(slide) - FRICTION * impulse, 0.0), slide)
    after = np.empty_like(velocity)
    after[0] = rebound * normal_x - slide * normal_y
    after[1] = rebound * normal_y + slide * normal_x
    return after
