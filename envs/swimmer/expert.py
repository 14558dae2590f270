"""Scripted swimmers: a wave that travels along the body, driven by the joint angles alone."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.floating]

STIFFNESS = 5.0  # torque an angle, before it saturates; 5 to 15 swim alike
TORQUE = 0.8  # the largest; the rest of the range is left to the noise
TORQUE_NOISE = 0.1  # standard deviation
_JOINTS = slice(1, 3)  # their angles in an observation


def gait(observations: Array, noise: Array, direction: float) -> Array:
    """Torques that keep a wave travelling along the body.

    Each joint is driven by the angle of the other, with opposite signs. Rest is unstable under
    that, and what grows is a cycle in which one joint lags behind the other; the sign says which,
    and so which way the swimmer goes. There is no clock: the torque is a function of the
    observation, and can be imitated as one.

    Args:
        observations: Of the swimmer, shape (..., 8).
        noise: Standard normal, shape (..., 2).
        direction: 1 forward, -1 backward.

    Returns:
        Shape (..., 2), in [-1, 1].
    """
    first, second = np.moveaxis(observations[..., _JOINTS], -1, 0)
    drive = np.stack([-second, first], axis=-1)
    torques = TORQUE * np.tanh(direction * STIFFNESS * drive) + TORQUE_NOISE * noise
    return np.clip(torques, -1.0, 1.0)
