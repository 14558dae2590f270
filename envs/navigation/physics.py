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
    CAP_DEPTH,
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
        m = geometry.halls
        half_angle = math.pi / m
        half_width = HALL_WIDTH / 2.0
        # Directions of hall 0, edge 0|1, hall 1, edge 1|2, ...: even rows are halls, odd rows are
        # the normals of the centre's edges between neighbouring halls. Shape (2m, 1).
        angles = half_angle * np.arange(2 * m)
        self._cos, self._sin = np.cos(angles)[:, None], np.sin(angles)[:, None]
        edge = CENTRE_RADIUS * math.cos(half_angle) + half_width * math.sin(half_angle)
        edge_half_length = CENTRE_RADIUS * math.sin(half_angle) - half_width * math.cos(half_angle)
        # The walls faced along those directions: caps at the end of halls, and the edges. Where
        # the disc's centre stops before them, and how far to the side they reach.
        cap_stop = geometry.outer_radius - CAP_DEPTH - AGENT_RADIUS
        self._stop = np.tile([cap_stop, edge - AGENT_RADIUS], m)[:, None]
        self._reach = np.tile([half_width, edge_half_length], m)[:, None]
        self._side = half_width - AGENT_RADIUS  # the centre's largest distance from a middle line
        self._sign = np.array([1.0, -1.0])[:, None, None]  # left and right wall of a hall
        self._corner_across = half_width * self._sign
        self._index_walls(m)

    def _index_walls(self, m: int) -> None:
        """Tabulate the outward normal of every flat wall and the place of every corner.

        Walls are numbered as ``_impact_times`` stacks them: 2m faces, 2m sides, 2m corners.
        """
        cos, sin = self._cos[::2, 0], self._sin[::2, 0]
        side_x, side_y = np.concatenate([sin, -sin]), np.concatenate([-cos, cos])
        corner = np.zeros(2 * m)
        self._normal_x = np.concatenate([-self._cos[:, 0], side_x, corner])
        self._normal_y = np.concatenate([-self._sin[:, 0], side_y, corner])
        self._first_corner = 4 * m
        across = (HALL_WIDTH / 2.0) * np.repeat([1.0, -1.0], m)
        flat = np.zeros(4 * m)
        x = CENTRE_RADIUS * np.tile(cos, 2) - across * np.tile(sin, 2)
        y = CENTRE_RADIUS * np.tile(sin, 2) + across * np.tile(cos, 2)
        self._corner_x, self._corner_y = np.concatenate([flat, x]), np.concatenate([flat, y])

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

    def _local(self, vector: Array) -> tuple[Array, Array]:
        """Components along and across each of the 2m directions, each (2m, n)."""
        x, y = vector
        return x * self._cos + y * self._sin, y * self._cos - x * self._sin

    def _is_free(self, start: Array, end: Array) -> NDArray[np.bool_]:
        """Whether a flight stays within one convex region without walls, shape (n,).

        The regions: for every hall, the strip of centres that touch neither of its sides, from
        the origin to its cap; and the centre polygon, shrunk by the disc's radius. (A centre
        that keeps its distance from the line of every edge keeps it from the corners as well.)
        """
        inside = True
        in_centre = True
        for along, across in (self._local(start), self._local(end)):
            slack = self._stop + _TOUCH - along
            in_centre &= (slack[1::2] >= 0.0).all(axis=0)
            hall = along[::2] >= 0.0
            hall &= slack[::2] >= 0.0
            hall &= np.abs(across[::2]) <= self._side + _TOUCH
            inside &= hall
        return in_centre | inside.any(axis=0)

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
        normal_x, normal_y = self._normal_x[wall], self._normal_y[wall]
        corner = wall >= self._first_corner
        if corner.any():
            away_x = (centre[0] - self._corner_x[wall]) / AGENT_RADIUS
            away_y = (centre[1] - self._corner_y[wall]) / AGENT_RADIUS
            normal_x = np.where(corner, away_x, normal_x)
            normal_y = np.where(corner, away_y, normal_y)
        after = np.where(hit, _bounce(velocity, normal_x, normal_y), velocity)
        return centre, after, np.where(hit, left * (1.0 - time), 0.0)

    def _impact_times(self, start: Array, flight: Array) -> Array:
        """When a flight meets each wall, as a fraction of the flight; infinite if never.

        Returns:
            Shape (6m, n): the faces along the 2m directions, the left then the right side of
            every hall, the left then the right corner of every mouth.
        """
        along, across = self._local(start)
        d_along, d_across = self._local(flight)

        clearance = self._stop - along
        time = np.maximum(clearance, 0.0) / d_along
        met = d_along > _GRAZING
        met &= clearance >= _BEHIND
        met &= np.abs(across + time * d_across) <= self._reach
        faces = np.where(met, time, np.inf)

        along, across, d_along, d_across = along[::2], across[::2], d_along[::2], d_across[::2]
        approach = self._sign * d_across
        clearance = self._side - self._sign * across
        time = np.maximum(clearance, 0.0) / approach
        met = approach > _GRAZING
        met &= clearance >= _BEHIND
        met &= along + time * d_along >= CENTRE_RADIUS
        sides = np.where(met, time, np.inf)

        ahead, beside = along - CENTRE_RADIUS, across - self._corner_across
        approach = -(ahead * d_along + beside * d_across)
        clearance = ahead * ahead + beside * beside - AGENT_RADIUS**2
        length = flight[0] * flight[0] + flight[1] * flight[1]
        discriminant = approach * approach - length * clearance
        time = np.maximum(clearance, 0.0) / (approach + np.sqrt(np.maximum(discriminant, 0.0)))
        met = (approach > _GRAZING) & (discriminant > 0.0)
        corners = np.where(met, time, np.inf)

        n = start.shape[1]
        return np.concatenate([faces, sides.reshape(-1, n), corners.reshape(-1, n)])


def _bounce(velocity: Array, normal_x: Array, normal_y: Array) -> Array:
    """Velocity after an impact with a fixed wall: restitution, and friction up to Coulomb's limit.

    Args:
        velocity: Before the impact, shape (2, n).
        normal_x: Of the unit normal that points from the wall to the disc, shape (n,).
        normal_y: As ``normal_x``.

    Returns:
        Shape (2, n). A disc that does not approach its wall gets the normal part zeroed only if
        it approaches; callers discard such columns.
    """
    x, y = velocity
    approach = -(x * normal_x + y * normal_y)
    slide = y * normal_x - x * normal_y
    rebound = np.where(approach > RESTITUTION_SPEED, RESTITUTION, 0.0) * approach
    impulse = approach + rebound  # per unit mass
    slide = np.copysign(np.maximum(np.abs(slide) - FRICTION * impulse, 0.0), slide)
    return np.stack([rebound * normal_x - slide * normal_y, rebound * normal_y + slide * normal_x])
