"""How far the valve was turned in each episode."""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

RECENT_EPISODES = 100  # behind the means of a learning curve, as in the paper's evaluation


class Turn(NamedTuple):
    """What one episode did to the valve; radians are of the unwrapped angle from its start."""

    rotations: float  # sum of |change of angle| over all steps, in full turns
    positive: float  # furthest counter-clockwise, rad
    negative: float  # furthest clockwise, rad, as a positive number


class OpenTurns:
    """The episodes that n copies of the environment are in the middle of.

    An episode is measured from the first angle it is shown, that after the first step. From the
    valve's fixed start no finger reaches it within that 0.1 s; from random starts some turn it, by
    0.1 rad at most. Angles are unwrapped from step to step, which is right as long as the valve
    makes less than half a turn in a step.
    """

    def __init__(self) -> None:
        self._begin(copies=0)

    def add(self, angles: NDArray[np.float64]) -> None:
        """Take in one step of all copies.

        Args:
            angles: Wrapped, rad, shape (n,).

        Raises:
            ValueError: If episodes of another number of copies are open.
        """
        self._fit(len(angles))
        turn = np.where(self._steps > 0, _wrapped(angles - self._angles), 0.0)
        self._angles[:] = angles
        self._steps += 1
        self._position += turn
        self._path += np.abs(turn)
        np.maximum(self._highest, self._position, out=self._highest)
        np.minimum(self._lowest, self._position, out=self._lowest)

    def close(self, copy: int) -> Turn:
        """Return one copy's episode and begin the next."""
        rotations = float(self._path[copy]) / (2.0 * math.pi)
        turn = Turn(rotations, float(self._highest[copy]), abs(float(self._lowest[copy])))
        for array in self._arrays().values():
            array[copy] = 0
        return turn

    def state_dict(self) -> dict[str, Any]:
        """What the open episodes have done so far."""
        return {name: array.copy() for name, array in self._arrays().items()}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Take up a state of :meth:`state_dict`."""
        self._begin(len(state["steps"]))
        for name, array in self._arrays().items():
            array[:] = state[name]

    def _fit(self, copies: int) -> None:
        if copies != len(self._steps):
            if self._steps.any():
                raise ValueError(
                    f"episodes of {len(self._steps)} environment copies are open, "
                    f"got states of {copies}"
                )
            self._begin(copies)

    def _begin(self, copies: int) -> None:
        self._steps = np.zeros(copies, dtype=np.int64)
        self._angles = np.zeros(copies)  # newest, wrapped
        self._position = np.zeros(copies)  # newest, unwrapped, from the start
        self._path = np.zeros(copies)
        self._highest = np.zeros(copies)
        self._lowest = np.zeros(copies)

    def _arrays(self) -> dict[str, NDArray[Any]]:
        return {
            "steps": self._steps,
            "angles": self._angles,
            "position": self._position,
            "path": self._path,
            "highest": self._highest,
            "lowest": self._lowest,
        }


def _wrapped(angles: NDArray[np.float64]) -> NDArray[np.float64]:
    """The same angles from -pi to below pi."""
    return (angles + math.pi) % (2.0 * math.pi) - math.pi
