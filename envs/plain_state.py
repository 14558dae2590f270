"""Python attributes as plain data and back, for snapshots of environments.

What :func:`pack` returns holds numbers, strings, ``None``, NumPy arrays, lists, and dicts with
string keys; everything else becomes a dict with the key ``"kind"``. :func:`unpack` needs the live
value beside it: objects are refilled in place, so no class is ever looked up by name.
"""

from __future__ import annotations

import enum
import random
from collections import deque
from collections.abc import Callable, Iterable
from types import ModuleType
from typing import Any

import gymnasium as gym
import numpy as np

from expedition.envs import mujoco_state

# Attributes that say how an environment is made or drawn, not what state it is in.
_CONSTRUCTION = {"env", "envs", "env_fns", "_saved_kwargs", "_cached_spec", "spec", "metadata"}
_DRAWING = {"render_mode", "mujoco_renderer", "renderer", "viewer", "screen", "clock", "surf"}
_DRAWING |= {"isopen", "window", "fullpath", "width", "height"}
IGNORED = frozenset(_CONSTRUCTION | _DRAWING | {"_metadata", "_ezpickle_args", "_ezpickle_kwargs"})

_MAX_PLAIN_INT = 2**63 - 1  # larger ones (bit generator states) travel as text


class SnapshotError(ValueError):
    """An environment's state cannot be captured, or does not fit the environment given."""


def pack(value: Any, where: str, seen: set[int] | None = None) -> Any:
    """Turn a value into plain data.

    Args:
        value: Any attribute of an environment.
        where: What to call the value in an error, such as ``"TimeLimit._elapsed_steps"``.
        seen: Identities of the objects already packed; they are not packed again.

    Returns:
        Plain data, sharing no memory with ``value``.

    Raises:
        SnapshotError: If the value is of a kind whose state cannot be read.
    """
    seen = set() if seen is None else seen
    for types, packer in _PACKERS:
        if isinstance(value, types):
            return packer(value, where, seen)
    return _pack_object(value, where, seen)


def unpack(packed: Any, current: Any, where: str) -> Any:
    """Turn plain data back into a value.

    Args:
        packed: What :func:`pack` returned.
        current: The live value that is replaced, or ``None``. Objects, generators and simulator
            data are refilled in place.
        where: As for :func:`pack`.

    Returns:
        The value to assign.

    Raises:
        SnapshotError: If an object is to be refilled and ``current`` is of another class.
    """
    if isinstance(packed, np.ndarray):
        return packed.copy()
    if isinstance(packed, list):
        return _unpack_items(packed, current, where)
    if not isinstance(packed, dict):
        return packed
    return _UNPACKERS[packed["kind"]](packed, current, where)


def pack_attributes(
    owner: Any, where: str, seen: set[int], only: Iterable[str] | None = None
) -> dict[str, Any]:
    """Pack the attributes of an object, except those of construction and drawing.

    Args:
        owner: Any object.
        where: As for :func:`pack`.
        seen: As for :func:`pack`.
        only: Names to choose; default all.
    """
    names = _attribute_names(owner) if only is None else only
    return {
        name: pack(getattr(owner, name), f"{where}.{name}", seen)
        for name in names
        if name not in IGNORED and hasattr(owner, name)
    }


def unpack_attributes(owner: Any, packed: dict[str, Any], where: str) -> None:
    """Assign packed attributes to an object."""
    for name, value in packed.items():
        if not (isinstance(value, dict) and value["kind"] == "skipped"):
            current = getattr(owner, name, None)
            # Past any __setattr__ of the class, as frozen dataclasses have.
            object.__setattr__(owner, name, unpack(value, current, f"{where}.{name}"))


def _attribute_names(owner: Any) -> list[str]:
    slots = [name for base in type(owner).__mro__ for name in getattr(base, "__slots__", ())]
    return [name for name in (*slots, *getattr(owner, "__dict__", {})) if not name.startswith("__")]


def _pack_int(value: int, where: str, seen: set[int]) -> Any:
    if abs(value) <= _MAX_PLAIN_INT:
        return value
    return {"kind": "int", "text": str(value)}


def _pack_array(value: np.ndarray, where: str, seen: set[int]) -> Any:
    if value.dtype.hasobject:
        items = [pack(item, where, seen) for item in value.ravel()]
        return {"kind": "object_array", "shape": list(value.shape), "items": items}
    return value.copy()


def _pack_dict(value: dict, where: str, seen: set[int]) -> Any:
    keys = [pack(key, where, seen) for key in value]
    return {"kind": "dict", "keys": keys, "values": [pack(v, where, seen) for v in value.values()]}


def _pack_items(kind: str) -> Callable[[Any, str, set[int]], Any]:
    def packer(value: Iterable[Any], where: str, seen: set[int]) -> Any:
        packed = {"kind": kind, "items": [pack(item, where, seen) for item in value]}
        return packed | ({"maxlen": value.maxlen} if isinstance(value, deque) else {})

    return packer


def _pack_generator(value: np.random.Generator, where: str, seen: set[int]) -> Any:
    return {"kind": "generator", "state": pack(value.bit_generator.state, where, seen)}


def _pack_space(value: gym.Space, where: str, seen: set[int]) -> Any:
    # A space is fixed but for its random generator, drawn from by ``sample``.
    children = getattr(value, "spaces", ())
    parts = children.values() if isinstance(children, dict) else children
    return {
        "kind": "space",
        "generator": pack(value._np_random, where, seen),
        "parts": [_pack_space(part, where, seen) for part in parts],
    }


def _pack_object(value: Any, where: str, seen: set[int]) -> Any:
    kind = f"{type(value).__module__}.{type(value).__qualname__}"
    if mujoco_state.is_model(value):
        return {"kind": "skipped"}
    if mujoco_state.is_data(value):
        return {"kind": "mujoco", "arrays": mujoco_state.capture(value)}
    if callable(value) or id(value) in seen:
        return {"kind": "skipped"}
    if not hasattr(value, "__dict__") and not hasattr(type(value), "__slots__"):
        raise SnapshotError(
            f"cannot capture {where}, a {kind}: give the environment methods state_dict() and "
            "load_state_dict()"
        )
    seen.add(id(value))
    return {"kind": "object", "class": kind, "attributes": pack_attributes(value, where, seen)}


_Packer = Callable[[Any, str, set[int]], Any]
_PACKERS: list[tuple[type | tuple[type, ...], _Packer]] = [
    (
        (gym.Env, gym.vector.VectorEnv, gym.envs.registration.EnvSpec, ModuleType, type),
        lambda value, where, seen: {"kind": "skipped"},
    ),
    (enum.Enum, lambda value, where, seen: {"kind": "enum", "name": value.name}),
    (np.generic, lambda value, where, seen: {"kind": "scalar", "value": np.array(value)}),
    ((type(None), bool, float, str, bytes), lambda value, where, seen: value),
    (int, _pack_int),
    (np.ndarray, _pack_array),
    (list, lambda value, where, seen: [pack(item, where, seen) for item in value]),
    (dict, _pack_dict),
    (tuple, _pack_items("tuple")),
    ((set, frozenset), _pack_items("set")),
    (deque, _pack_items("deque")),
    (np.random.Generator, _pack_generator),
    (
        np.random.RandomState,
        lambda value, where, seen: {
            "kind": "random_state",
            "state": pack(value.get_state(legacy=False), where, seen),
        },
    ),
    (
        random.Random,
        lambda value, where, seen: {
            "kind": "python_random",
            "state": pack(value.getstate(), where, seen),
        },
    ),
    (gym.Space, _pack_space),
]


def _unpack_items(items: list[Any], current: Any, where: str) -> list[Any]:
    beside = current if isinstance(current, list | tuple | deque) else ()
    padded = [*beside, *[None] * (len(items) - len(beside))]
    return [unpack(item, old, where) for item, old in zip(items, padded, strict=False)]


def _unpack_dict(packed: dict[str, Any], current: Any, where: str) -> dict[Any, Any]:
    beside = current if isinstance(current, dict) else {}
    keys = [unpack(key, None, where) for key in packed["keys"]]
    return {
        key: unpack(value, beside.get(key), where)
        for key, value in zip(keys, packed["values"], strict=True)
    }


def _unpack_generator(packed: dict[str, Any], current: Any, where: str) -> np.random.Generator:
    state = unpack(packed["state"], None, where)
    if not isinstance(current, np.random.Generator):
        current = np.random.Generator(getattr(np.random, state["bit_generator"])())
    current.bit_generator.state = state
    return current


def _unpack_random_state(packed: dict[str, Any], current: Any, where: str) -> np.random.RandomState:
    current = current if isinstance(current, np.random.RandomState) else np.random.RandomState()
    current.set_state(unpack(packed["state"], None, where))
    return current


def _unpack_python_random(packed: dict[str, Any], current: Any, where: str) -> random.Random:
    current = current if isinstance(current, random.Random) else random.Random()
    current.setstate(unpack(packed["state"], None, where))
    return current


def _unpack_space(packed: dict[str, Any], current: gym.Space, where: str) -> gym.Space:
    current._np_random = unpack(packed["generator"], current._np_random, where)
    children = getattr(current, "spaces", ())
    parts = children.values() if isinstance(children, dict) else children
    for part, child in zip(packed["parts"], parts, strict=True):
        _unpack_space(part, child, where)
    return current


def _unpack_mujoco(packed: dict[str, Any], current: Any, where: str) -> Any:
    mujoco_state.restore(current, packed["arrays"])
    return current


def _unpack_object(packed: dict[str, Any], current: Any, where: str) -> Any:
    kind = f"{type(current).__module__}.{type(current).__qualname__}"
    if kind != packed["class"]:
        raise SnapshotError(f"{where} was a {packed['class']}, here it is a {kind}")
    unpack_attributes(current, packed["attributes"], where)
    return current


def _unpack_object_array(packed: dict[str, Any], current: Any, where: str) -> np.ndarray:
    array = np.empty(len(packed["items"]), dtype=object)
    array[:] = _unpack_items(packed["items"], None, where)
    return array.reshape(packed["shape"])


_UNPACKERS: dict[str, Callable[[dict[str, Any], Any, str], Any]] = {
    "int": lambda packed, current, where: int(packed["text"]),
    "scalar": lambda packed, current, where: packed["value"][()],
    "enum": lambda packed, current, where: type(current)[packed["name"]],
    "skipped": lambda packed, current, where: current,
    "tuple": lambda packed, current, where: tuple(_unpack_items(packed["items"], current, where)),
    "set": lambda packed, current, where: set(_unpack_items(packed["items"], None, where)),
    "deque": lambda packed, current, where: deque(
        _unpack_items(packed["items"], current, where), packed["maxlen"]
    ),
    "dict": _unpack_dict,
    "object_array": _unpack_object_array,
    "generator": _unpack_generator,
    "random_state": _unpack_random_state,
    "python_random": _unpack_python_random,
    "space": _unpack_space,
    "mujoco": _unpack_mujoco,
    "object": _unpack_object,
}
