"""What running is paid for: speed in any direction, or along the x axis."""

from __future__ import annotations

from typing import Literal, get_args

RunReward = Literal["speed", "forward"]


def check_reward(reward: str) -> None:
    """Refuse anything but a :data:`RunReward`.

    Raises:
        ValueError: With the values that are allowed.
    """
    if reward not in get_args(RunReward):
        raise ValueError(f"reward must be one of {get_args(RunReward)}, got {reward!r}")
