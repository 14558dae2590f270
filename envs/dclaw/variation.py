"""Random physics of the claw: what a simulation-to-real transfer trains against."""

from __future__ import annotations

from typing import Any

import mujoco
import numpy as np
from numpy.typing import NDArray

# Ranges of ROBEL's randomised turning task, in SI units.
DAMPING = (0.005, 0.1)  # N m s/rad, each joint
FRICTION_LOSS = (0.001, 0.005)  # N m, each joint
SERVO_GAIN = (1.0, 3.0)  # N m/rad, one for all servos
SLIDING_FRICTION = (0.8, 1.2)  # each solid
MOUNT_SHIFT = 0.01  # m, either way along each axis
SENSOR_NOISE = 0.05  # width of a reading's uniform error, as a share of the joint's range

_FIELDS = (
    "dof_damping",
    "dof_frictionloss",
    "actuator_gainprm",
    "actuator_biasprm",
    "geom_friction",
    "body_pos",
)


class Variation:
    """Draws the physics of one model anew, always around what it was when made.

    Args:
        model: The claw's model, changed in place by :meth:`draw`.
    """

    def __init__(self, model: mujoco.MjModel) -> None:
        self._model = model
        self._mount = model.body("mount").id
        self._mount_position = model.body_pos[self._mount].copy()

    def draw(self, rng: np.random.Generator) -> None:
        """Draw damping, friction, servo gain and the mount's place."""
        model = self._model
        model.dof_damping[:] = rng.uniform(*DAMPING, model.nv)
        model.dof_frictionloss[:] = rng.uniform(*FRICTION_LOSS, model.nv)
        gain = rng.uniform(*SERVO_GAIN)
        # A position servo's torque is gain * target - gain * angle.
        model.actuator_gainprm[:, 0] = gain
        model.actuator_biasprm[:, 1] = -gain
        model.geom_friction[:, 0] = rng.uniform(*SLIDING_FRICTION, model.ngeom)
        shift = rng.uniform(-MOUNT_SHIFT, MOUNT_SHIFT, 3)
        model.body_pos[self._mount] = self._mount_position + shift

    def state_dict(self) -> dict[str, NDArray[np.float64]]:
        """The physics drawn last, by the names of ``MjModel``."""
        return {name: np.array(getattr(self._model, name)) for name in _FIELDS}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Take up a state of :meth:`state_dict` of the same model."""
        for name in _FIELDS:
            getattr(self._model, name)[:] = state[name]


def sensor_error(
    rng: np.random.Generator, low: NDArray[np.float64], high: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Draw the error of one reading of joints whose ranges are ``low`` to ``high``, shape (n,)."""
    return SENSOR_NOISE * (high - low) * rng.uniform(-0.5, 0.5, low.shape)
