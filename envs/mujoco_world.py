"""Many simulations of one MuJoCo model, stepped together."""

from __future__ import annotations

from collections.abc import Callable, Iterable
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
        camera: Name of the model's camera that draws frames.
    """

    def __init__(self, model: Any, count: int, *, camera: str = "top") -> None:
        self.model, self.count = model, count
        self._camera_name = camera
        self._models = [model] * count
        self._data = mujoco.MjData(model)  # memory to work in; holds nothing between steps
        # Views of it: to ask MuJoCo for them takes longer than to write to them.
        self._qpos, self._qvel, self._ctrl = self._data.qpos, self._data.qvel, self._data.ctrl
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
        """Draws what the chosen camera sees."""
        return MujocoCamera(self.model, self._camera_name)

    def frame(self, index: int, marks: list[Disc]) -> NDArray[np.uint8]:
        """Draw one simulation, with marks, shape (480, 480, 3)."""
        self._load(index)
        mujoco.mj_forward(self.model, self._data)
        return self.camera.frame(self._data, marks)

    def state_dict(self) -> dict[str, Any]:
        """Positions (n, nq) and velocities (n, nv)."""
        return {"positions": self.positions.copy(), "velocities": self.velocities.copy()}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Take up a state of as many simulations."""
        self.positions[:] = state["positions"]
        self.velocities[:] = state["velocities"]

    def _load(self, index: int) -> None:
        self._qpos[:] = self.positions[index]
        self._qvel[:] = self.velocities[index]


class MeasuredSimulations(Simulations):
    """Simulations that measure, after each step, what follows from positions and velocities.

    MuJoCo's batched stepping does not give such quantities at the end of a step, so these are
    stepped one after the other; the loop costs little beside models that need it.

    Args:
        model: As above.
        count: As above.
        measure: Called as ``measure(data, row)`` after ``mj_forward``; fills ``row``.
        size: Length of a row.
        substeps: Steps of the model in one step, with the same control.
        camera: As above.

    Attributes:
        measured: The rows, shape (n, size).
    """

    def __init__(
        self,
        model: Any,
        count: int,
        *,
        measure: Callable[[Any, Array], None],
        size: int,
        substeps: int = 1,
        camera: str = "top",
    ) -> None:
        super().__init__(model, count, camera=camera)
        self.measured = np.zeros((count, size))
        self._measure, self._substeps = measure, substeps

    def step(self, controls: Array) -> None:
        """Advance and measure all simulations, with controls (n, nu)."""
        model, data, measured = self.model, self._data, self.measured
        positions, velocities = self.positions, self.velocities
        for index in range(self.count):
            self._load(index)
            self._ctrl[:] = controls[index]
            mujoco.mj_step(model, data, self._substeps)
            positions[index] = self._qpos
            velocities[index] = self._qvel
            mujoco.mj_forward(model, data)
            self._measure(data, measured[index])

    def measure(self, indices: Iterable[int]) -> None:
        """Measure simulations whose positions or velocities were written, at rest controls."""
        self._ctrl[:] = 0.0
        for index in indices:
            self._load(index)
            mujoco.mj_forward(self.model, self._data)
            self._measure(self._data, self.measured[index])

    def state_dict(self) -> dict[str, Any]:
        """Positions, velocities, and what was measured, each (n, ...)."""
        return super().state_dict() | {"measured": self.measured.copy()}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Take up a state of as many simulations."""
        super().load_state_dict(state)
        self.measured[:] = state["measured"]
