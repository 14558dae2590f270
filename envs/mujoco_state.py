"""The state of a MuJoCo simulation as plain arrays, exact to the last bit.

``qpos`` and ``qvel`` are not enough: a continued simulation also depends on the warm start of the
constraint solver, on actuator state and time, and environments read derived quantities (positions
of bodies, contact forces) before the next step recomputes them. So every array of ``MjData`` whose
size the model fixes is kept. Contacts and constraint rows, whose number varies, are left out: each
step computes them anew from the rest.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

_POINTERS = {"plugin", "plugin_data"}  # addresses in this process


def is_model(value: Any) -> bool:
    """Whether a value is an ``MjModel``. Does not import MuJoCo."""
    return _is_mujoco(value, "MjModel")


def is_data(value: Any) -> bool:
    """Whether a value is an ``MjData``. Does not import MuJoCo."""
    return _is_mujoco(value, "MjData")


def capture(data: Any) -> dict[str, Any]:
    """Copy the state of a simulation.

    Args:
        data: An ``mujoco.MjData``.

    Returns:
        Arrays by their name in ``MjData``, and ``time`` in seconds.
    """
    arrays = {name: np.array(getattr(data, name)) for name in _fixed_arrays(data.model)}
    return {"time": float(data.time), **arrays}


def restore(data: Any, state: dict[str, Any]) -> None:
    """Put a simulation into a captured state, in place.

    Args:
        data: An ``mujoco.MjData`` of the same model.
        state: What :func:`capture` returned.

    Raises:
        ValueError: If an array does not fit the model.
    """
    import mujoco  # the caller holds an MjData, so it is there

    mujoco.mj_resetData(data.model, data)  # drops contacts and constraint rows
    data.time = state["time"]
    for name in _fixed_arrays(data.model):
        array: NDArray[Any] = getattr(data, name)
        values = np.asarray(state.get(name, ()))
        if array.shape != values.shape:
            raise ValueError(
                f"MjData.{name} has shape {array.shape} here and {values.shape} in the state: "
                "it is of another model"
            )
        array[:] = values


def _is_mujoco(value: Any, name: str) -> bool:
    kind = type(value)
    return kind.__name__ == name and kind.__module__.startswith("mujoco")


def _fixed_arrays(model: Any) -> list[str]:
    """Names of the ``MjData`` arrays whose size the model fixes.

    In new data, before any step, the arrays of varying size are empty. The island arrays are
    scratch memory: each step either rewrites them or, with islands switched off, ignores them.
    """
    import mujoco  # the caller holds an MjModel, so it is there

    fresh = mujoco.MjData(model)
    names = [name for name in dir(fresh) if not name.startswith("_") and name not in _POINTERS]
    values = {name: getattr(fresh, name) for name in names}
    return [
        name
        for name, value in values.items()
        if isinstance(value, np.ndarray) and value.size and "island" not in name
    ]
