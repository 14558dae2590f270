"""Frames of MuJoCo simulations, with marks painted into the scene."""

from __future__ import annotations

import atexit
import os
import weakref
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import mujoco
import numpy as np
from numpy.typing import NDArray

FRAME_SIZE = 480  # pixels along each side
_MAX_GEOMS = 1_000
_THICKNESS = 0.001  # m, half of a mark's


@dataclass(frozen=True)
class Disc:
    """A flat disc that is seen but not touched, such as a goal.

    Attributes:
        centre: Position, metres, 3 numbers.
        radius: In metres.
        rgba: Colour, 0 to 1.
    """

    centre: Sequence[float]
    radius: float
    rgba: Sequence[float]


class MujocoCamera:
    """Draws simulations of one model as a camera of the model sees them.

    Without a display it draws off screen through EGL, which needs no graphics card.

    Args:
        model: An ``MjModel``.
        camera: Name of the camera.
    """

    def __init__(self, model: Any, camera: str) -> None:
        self._model = model
        self._camera = mujoco.MjvCamera()
        self._camera.type = mujoco.mjtCamera.mjCAMERA_FIXED
        self._camera.fixedcamid = mujoco.mj_name2id(model, mujoco.mjtObj.mjOBJ_CAMERA, camera)
        self._options = mujoco.MjvOption()
        self._scene = mujoco.MjvScene(model, _MAX_GEOMS)
        self._gl: Any = _gl_context()
        self._gl.make_current()
        self._context = mujoco.MjrContext(model, mujoco.mjtFontScale.mjFONTSCALE_100)
        mujoco.mjr_setBuffer(mujoco.mjtFramebuffer.mjFB_OFFSCREEN, self._context)
        # At exit before the library is shut down: freeing a context afterwards is an error.
        atexit.register(_close, weakref.ref(self))

    def frame(self, data: Any, marks: Sequence[Disc] = ()) -> NDArray[np.uint8]:
        """Draw a simulation.

        Args:
            data: An ``MjData`` of the model, its positions computed.
            marks: Painted into the scene.

        Returns:
            RGB, shape (480, 480, 3).
        """
        self._gl.make_current()
        mujoco.mjv_updateScene(
            self._model,
            data,
            self._options,
            None,
            self._camera,
            mujoco.mjtCatBit.mjCAT_ALL,
            self._scene,
        )
        for mark in marks:
            self._paint(mark)
        view = mujoco.MjrRect(0, 0, FRAME_SIZE, FRAME_SIZE)
        mujoco.mjr_render(view, self._scene, self._context)
        pixels = np.empty((FRAME_SIZE, FRAME_SIZE, 3), dtype=np.uint8)
        mujoco.mjr_readPixels(pixels, None, view, self._context)
        return pixels[::-1].copy()

    def close(self) -> None:
        """Give the OpenGL context back; the camera draws no more."""
        if self._gl is not None:
            self._gl.make_current()
            self._context.free()
            self._gl.free()
            self._gl = None

    def __del__(self) -> None:
        if hasattr(self, "_context"):
            self.close()

    def _paint(self, mark: Disc) -> None:
        geom = self._scene.geoms[self._scene.ngeom]
        mujoco.mjv_initGeom(
            geom,
            mujoco.mjtGeom.mjGEOM_CYLINDER,
            np.array([mark.radius, _THICKNESS, 0.0]),
            np.asarray(mark.centre, dtype=np.float64),
            np.eye(3).ravel(),
            np.asarray(mark.rgba, dtype=np.float32),
        )
        self._scene.ngeom += 1


def _close(camera: weakref.ref[MujocoCamera]) -> None:
    alive = camera()
    if alive is not None:
        alive.close()


def _gl_context() -> Any:
    """An OpenGL context: as ``MUJOCO_GL`` says, else through EGL where there is no display."""
    chosen = os.environ.get("MUJOCO_GL", "").lower()
    is_headless = os.name == "posix" and not os.environ.get("DISPLAY")
    if chosen == "egl" or (not chosen and is_headless):
        # MuJoCo itself read the variable when it was imported, perhaps before it was set. Not at
        # the top: loads the system's EGL library.
        from mujoco.egl import GLContext
    else:
        from mujoco.gl_context import GLContext
    return GLContext(FRAME_SIZE, FRAME_SIZE)
