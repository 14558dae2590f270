"""Exact snapshots of environments: capture, and continue elsewhere as if nothing had happened.

``capture`` reads the state of any Gymnasium environment with all its wrappers (steps elapsed,
random generators, simulator), or of a vector environment; ``restore`` puts it into an environment
made the same way, in this process or another. What follows is then equal to the last bit. The state
is plain data (NumPy arrays, numbers, strings, ``None``, lists, dicts with string keys): any format
can store it and no class is pickled.

    state = capture(env)
    ...
    env = gym.make("Hopper-v5")
    restore(env, state)

Where the state is found: an unwrapped environment with ``state_dict`` and ``load_state_dict`` is
asked; of any other, and of every wrapper, the attributes are read. What is not captured: drawing
(windows, video frames), and changes made to a MuJoCo *model* after the environment was made. Two
attributes that share one array come back as two equal arrays.
"""

from __future__ import annotations

from typing import Any

import gymnasium as gym
from gymnasium.vector import AsyncVectorEnv, AutoresetMode, SyncVectorEnv, VectorEnv

from expedition.envs.plain_state import SnapshotError, pack_attributes, unpack_attributes

__all__ = ["SnapshotError", "Snapshotable", "capture", "restore"]

# State kept by Gymnasium's base classes, beside what an environment's state_dict() returns.
_BASE_ATTRIBUTES = (
    "_np_random",
    "_np_random_seed",
    "action_space",
    "observation_space",
    "single_action_space",
    "single_observation_space",
)


class Snapshotable(gym.Wrapper):
    """Makes a sub-environment of an ``AsyncVectorEnv`` capturable from the parent process.

    Its state lives in a worker process; this outermost wrapper offers it there as the attribute
    ``snapshot``::

        env_fns = [lambda: Snapshotable(gym.make("Hopper-v5"))] * 4
        envs = AsyncVectorEnv(env_fns, autoreset_mode=AutoresetMode.SAME_STEP)
    """

    @property
    def snapshot(self) -> dict[str, Any]:
        """The state of the wrapped environment; assigning it restores it."""
        return capture(self.env)

    @snapshot.setter
    def snapshot(self, state: dict[str, Any]) -> None:
        restore(self.env, state)


def capture(env: gym.Env | VectorEnv) -> dict[str, Any]:
    """Read the exact state of an environment.

    Args:
        env: A single or vector environment, wrapped or not. Not during an asynchronous step.

    Returns:
        Plain data, sharing no memory with the environment.

    Raises:
        SnapshotError: If part of the state cannot be read.
    """
    return {"layers": [_capture_layer(layer) for layer in _layers(env)]}


def restore(env: gym.Env | VectorEnv, state: dict[str, Any]) -> None:
    """Put an environment into a captured state, in place.

    Args:
        env: Made like the captured one: same id, arguments, wrappers and number of copies.
        state: What :func:`capture` returned.

    Raises:
        SnapshotError: If the state is of an environment made otherwise.
    """
    layers = _layers(env)
    expected = [layer["class"] for layer in state["layers"]]
    found = [type(layer).__name__ for layer in layers]
    if found != expected:
        raise SnapshotError(f"the state is of {'/'.join(expected)}, not of {'/'.join(found)}")
    for layer, layer_state in zip(layers, state["layers"], strict=True):
        _restore_layer(layer, layer_state)


def _layers(env: Any) -> list[Any]:
    """The wrappers from the outermost inwards, then the unwrapped environment."""
    layers = []
    while isinstance(env, gym.Wrapper | gym.vector.VectorWrapper):
        if not isinstance(env, Snapshotable):
            layers.append(env)
        env = env.env
    return [*layers, env]


def _capture_layer(layer: Any) -> dict[str, Any]:
    name = type(layer).__name__
    state: dict[str, Any] = {"class": name}
    if isinstance(layer, AsyncVectorEnv):
        _check_async(layer)
        state["copies"] = list(layer.get_attr("snapshot"))
        return state | {"attributes": pack_attributes(layer, name, set(), _BASE_ATTRIBUTES)}
    if isinstance(layer, SyncVectorEnv):
        state["copies"] = [capture(copy) for copy in layer.envs]
    if isinstance(layer, gym.Wrapper | gym.vector.VectorWrapper):
        return state | {"attributes": pack_attributes(layer, name, {id(layer)})}
    # By name, because they may be attributes of the class.
    attributes = pack_attributes(layer, name, set(), _BASE_ATTRIBUTES)
    if hasattr(layer, "load_state_dict"):
        return state | {"state": layer.state_dict(), "attributes": attributes}
    return state | {"attributes": pack_attributes(layer, name, {id(layer)}) | attributes}


def _restore_layer(layer: Any, state: dict[str, Any]) -> None:
    if "copies" in state:
        _restore_copies(layer, state["copies"])
    try:
        if "state" in state:
            layer.load_state_dict(state["state"])
        unpack_attributes(layer, state["attributes"], state["class"])
    except SnapshotError:
        raise
    except (ValueError, KeyError) as error:
        raise SnapshotError(f"the state does not fit this {state['class']}: {error}") from error


def _restore_copies(layer: SyncVectorEnv | AsyncVectorEnv, copies: list[dict[str, Any]]) -> None:
    if len(copies) != layer.num_envs:
        raise SnapshotError(
            f"the state is of {len(copies)} environment copies, not of {layer.num_envs}"
        )
    if isinstance(layer, AsyncVectorEnv):
        _check_async(layer)
        layer.set_attr("snapshot", copies)
        return
    for copy, copy_state in zip(layer.envs, copies, strict=True):
        restore(copy, copy_state)


def _check_async(layer: AsyncVectorEnv) -> None:
    """Refuse workers whose state is out of reach.

    Raises:
        SnapshotError: With the remedy.
    """
    # Looked for first: asking for an attribute that is not there ends the workers.
    if not all(layer.call("has_wrapper_attr", "snapshot")):
        raise SnapshotError(
            "the state of an AsyncVectorEnv is in its workers: wrap every sub-environment in "
            "expedition.envs.snapshot.Snapshotable"
        )
    if layer.metadata["autoreset_mode"] is AutoresetMode.NEXT_STEP:
        raise SnapshotError(
            "an AsyncVectorEnv with AutoresetMode.NEXT_STEP keeps pending resets out of reach: "
            "use AutoresetMode.SAME_STEP"
        )
