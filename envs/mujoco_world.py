"""Many simulations of one MuJoCo model, stepped in one call."""

from __future__ import annotations

from functools import cached_property
from importlib.resources import files
from typing import Any

import mujoco
import numpy as np
from mujoco.rollout import Rollout
from numpy.typing import NDArray

from expedition.envs.mujoco_camera import Disc, MujocoCamera

Array = NDArray[np.float64]

_FULL_STATE = mujoco.mjtState.mjSTATE_FULLPHYSICS.value
_CONTROL = mujoco.mjtState.mjSTATE_CTRL.value


def load_model(name: str) -> Any:
    """Compile one of this package's models, such as ``"wheeled"``."""
    text = files("expedition.envs").joinpath("assets", f"{name}.xml").read_text(encoding="utf-8")
    return mujoco.MjModel.from_xml_string(text)


class Simulations:
    """Positions and velocities of n simulations, stepped without a Python loop over them.

    The constraint solver starts every step anew (the models disable its warm start), so that a
    step depends on position, velocity and control alone: these are the whole state.

    Args:
        model: An ``MjModel`` without actuator state.
        count: Number of simulations n.
    """

    def __init__(self, model: Any, count: int) -> None:
        self.model = model
        self._models = [model] * count
        self._data = mujoco.MjData(model)  # memory to work in; holds nothing between steps
        self._rollout = Rollout(nthread=0)
        size = mujoco.mj_stateSize(model, _FULL_STATE)  # time, positions, velocities
        self._state = np.zeros((count, size))
        self._next = np.zeros((count, 1, size))
        self._split = 1 + model.nq

    @property
    def positions(self) -> Array:
        """Generalised positions (n, nq); a view, to read and to write."""
        return self._state[:, 1 : self._split]

    @property
    def velocities(self) -> Array:
        """Generalised velocities (n, nv); a view, to read and to write."""
        return self._state[:, self._split :]

    def step(self, controls: Array) -> None:
        """Advance all simulations by one step of the model, with controls (n, nu)."""
        self._rollout.rollout(
            self._models,
            [self._data],
            self._state,
            controls[:, None],
            control_spec=_CONTROL,
            skip_checks=True,
            nstep=1,
            state=self._next,
        )
        self._state[:] = self._next[:, 0]

    @cached_property
    def camera(self) -> MujocoCamera:
        """Draws the model's camera ``"top"``."""
        return MujocoCamera(self.model, "top")

    def frame(self, index: int, marks: list[Disc]) -> NDArray[np.uint8]:
        """Draw one simulation, with marks, shape (480, 480, 3)."""
        self._data.qpos[:] = self.positions[index]
        self._data.qvel[:] = self.velocities[index]
        mujoco.mj_forward(self.model, self._data)
        return self.camera.frame(self._data, marks)

    def state_dict(self) -> dict[str, Any]:
        """Positions (n, nq) and velocities (n, nv)."""
        return {"positions": self.positions.copy(), "velocities": self.velocities.copy()}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Take up a state of as many simulations."""
        self.positions[:] = state["positions"]
        self.velocities[:] = state["velocities"]
