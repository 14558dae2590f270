"""Where an observation of the manipulation tasks holds the positions of block and gripper."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, get_args

Observation = Literal["full", "paper"]


@dataclass(frozen=True)
class StateLayout:
    """Coordinates of an observation.

    Attributes:
        size: Number of coordinates.
        block: Index of the block's x; y and z follow.
        gripper: Index of the gripper's x; y and z follow.
    """

    size: int
    block: int
    gripper: int


LAYOUTS: dict[Observation, StateLayout] = {
    "full": StateLayout(size=25, block=3, gripper=0),  # the simulator's, as in the released code
    "paper": StateLayout(size=10, block=4, gripper=7),  # action, block, gripper: app. D.1
}


def layout_of(observation: str) -> StateLayout:
    """Find a layout by name.

    Raises:
        ValueError: Naming the known ones.
    """
    for name in get_args(Observation):
        if name == observation:
            return LAYOUTS[name]
    names = ", ".join(get_args(Observation))
    raise ValueError(f"observation must be one of {names}, got {observation!r}")
