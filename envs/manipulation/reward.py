"""The reward of the manipulation tasks: the log-density of their target, term by term."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np
from numpy.typing import NDArray

from expedition.envs.manipulation.table import (
    FallTest,
    check_fall_test,
    is_left,
    is_off_table,
)

Array = NDArray[np.float64]
Target = Literal["uniform", "half"]

OFF_TABLE_WEIGHT = -20.0
ACTION_COST = 0.1
NEAR_DISTANCE = 0.1  # metres; the paper compares the squared distance with it, a misprint


@dataclass(frozen=True)
class ManipulationReward:
    """Sum of weighted terms, each step's paid for the state the step reached.

    | term | weight | what it multiplies |
    |---|---|---|
    | ``off_table`` | -20 | 1 while the block is off the table |
    | ``near`` | ``near_weight`` | 1 while gripper and block are closer than 0.1 |
    | ``action`` | -0.1 | squared length of the action |
    | ``side`` | ``side_weight`` | 1 while the block is on the left half of the table |

    Source: app. D.1 and fig. 9 of Lee et al. 2019 (arXiv:1906.05274), whose sign of the first term
    in app. D.1 is a misprint.

    Args:
        target: ``"uniform"`` has no ``side`` term.
        fall_test: What counts as off the table.
        near_weight: 1 in the paper, 0.1 in the released code.
        side_weight: 1 in the released code, 0.1 in the paper, whose reward scale was 0.1.

    Raises:
        ValueError: If a name is unknown or a weight not finite.
    """

    target: Target = "uniform"
    fall_test: FallTest = "table"
    near_weight: float = 1.0
    side_weight: float = 1.0

    def __post_init__(self) -> None:
        if self.target not in get_args(Target):
            names = ", ".join(get_args(Target))
            raise ValueError(f"target must be one of {names}, got {self.target!r}")
        check_fall_test(self.fall_test)
        for name in ("near_weight", "side_weight"):
            if not np.isfinite(getattr(self, name)):
                raise ValueError(f"{name} must be finite, got {getattr(self, name)}")

    @property
    def names(self) -> tuple[str, ...]:
        """The terms, in the order in which they are added up."""
        side = ("side",) if self.target == "half" else ()
        return ("off_table", "near", "action", *side)

    @property
    def left_log_weight(self) -> float:
        """Log of the target's density on the left half over that on the right."""
        return self.side_weight if self.target == "half" else 0.0

    def terms(self, block: Array, gripper: Array, actions: Array) -> list[Array]:
        """Weighted terms of n steps.

        Args:
            block: Centres reached, metres, shape (n, 3).
            gripper: Positions reached, metres, shape (n, 3).
            actions: Within [-1, 1], shape (n, 4).

        Returns:
            One array of shape (n,) for each of :attr:`names`; the first is not 0 exactly where the
            block is off the table.
        """
        is_off = is_off_table(block, self.fall_test)
        offset = gripper - block
        is_near = _squared_length(offset) < NEAR_DISTANCE**2
        terms = [
            np.where(is_off, OFF_TABLE_WEIGHT, 0.0),
            self.near_weight * is_near,
            0.0 - ACTION_COST * _squared_length(actions),  # 0, not -0, at rest
        ]
        if self.target == "half":
            terms.append(self.side_weight * (is_left(block[:, 1]) & ~is_off))
        return terms


def _squared_length(vectors: Array) -> Array:
    """Of each row; added up by column, so that a row's result does not depend on the others."""
    columns = vectors.T
    total = columns[0] * columns[0]
    for column in columns[1:]:
        total = total + column * column
    return total
