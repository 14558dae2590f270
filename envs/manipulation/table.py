"""The table of the manipulation tasks: where it is taken to be, its sides, and falling off it."""

from __future__ import annotations

from typing import Literal, get_args

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.floating]
Flags = NDArray[np.bool_]
FallTest = Literal["table", "strict"]

# Metres. The surface that the released code assumes, a little larger than the simulated one
# (x 1.05 to 1.55, y 0.40 to 1.10, top at z 0.40).
TABLE_LOW = (1.0, 0.34)
TABLE_HIGH = (1.6, 1.12)
CENTRE = (1.30, 0.73)  # where the block starts; left of it means larger y
# Lowest height of the block's centre that counts as on the table. The block rests at 0.4247; the
# released code's 0.42 fires when the gripper presses it into the soft table top.
LOWEST: dict[FallTest, float] = {"table": 0.40, "strict": 0.42}
# A block that was never touched is on neither side, also where positions are single precision.
SIDE_MARGIN = 1e-6


def check_fall_test(fall_test: str) -> None:
    """Refuse an unknown name.

    Raises:
        ValueError: Naming the known ones.
    """
    if fall_test not in LOWEST:
        names = ", ".join(get_args(FallTest))
        raise ValueError(f"fall_test must be one of {names}, got {fall_test!r}")


def is_off_table(block: Array, fall_test: FallTest) -> Flags:
    """Whether blocks have left the table.

    Args:
        block: Centres of the blocks in metres, shape (..., 3).
        fall_test: Which height counts as fallen.

    Returns:
        Shape (...).
    """
    x, y, z = block[..., 0], block[..., 1], block[..., 2]
    return (z < LOWEST[fall_test]) | is_outside(x, y)


def is_outside(x: Array, y: Array) -> Flags:
    """Whether points (metres) are not above the table."""
    is_beside = (x < TABLE_LOW[0]) | (x > TABLE_HIGH[0])
    return is_beside | (y < TABLE_LOW[1]) | (y > TABLE_HIGH[1])


def is_left(y: Array) -> Flags:
    """Whether positions along y (metres) are left of the centre."""
    return y > CENTRE[1] + SIDE_MARGIN


def is_right(y: Array) -> Flags:
    """Whether positions along y (metres) are right of the centre."""
    return y < CENTRE[1] - SIDE_MARGIN
