"""Gymnasium's swimmer with a reward for either direction, and a measure of which it takes."""

from __future__ import annotations

from typing import Any

import numpy as np
from gymnasium import utils
from gymnasium.envs.mujoco.swimmer_v5 import SwimmerEnv
from numpy.typing import NDArray

from expedition.envs.swimmer.tracker import ProgressTracker

DIRECTIONS = {"forward": 1.0, "backward": -1.0}
_VELOCITY = 3  # of the front tip along x, in an observation
_PATH_STRIDE = 10  # steps between two places of a path in figures


class StochasticSwimmerEnv(SwimmerEnv):
    """Swim, one way or the other.

    Made to be imitated: of experts that swim forward and others that swim backward, what is learned
    should have both. Registered as ``expedition/StochasticSwimmer-v0``, with a horizon of 1000
    steps of 0.04 s.

    ## Observation space: ``Box(-inf, inf, (8,), float64)``
    As ``Swimmer-v5`` of Gymnasium: angles of the front tip and of two joints (3), velocity of the
    tip along x and y, angular velocities (3). The position is hidden.

    ## Action space: ``Box(-1, 1, (2,), float32)``
    Torques on the joints.

    ## Reward

    | term      | value                                              |
    |-----------|----------------------------------------------------|
    | `speed`   | velocity along x, or against it (``"backward"``)   |
    | `control` | ``-1e-4 |a|^2``                                    |

    The reward is their sum; every step's ``info["reward_terms"]`` has both.

    ## Episodes
    Start as ``Swimmer-v5``; nothing terminates them, the time limit truncates them.

    ## Source
    Tang and Agrawal 2018 (arXiv:1806.06798), figure 6. :func:`~expedition.envs.swimmer.gait` swims
    either way; the paper's experts were trained.

    ## Versions
    v0: first version.

    Args:
        direction: ``"forward"`` or ``"backward"``, the direction that is rewarded.
        render_mode: ``"rgb_array"`` or ``None``.

    Raises:
        ValueError: If there is no such direction.
    """

    reward_terms = ("speed", "control")

    def __init__(self, *, direction: str = "forward", render_mode: str | None = None) -> None:
        if direction not in DIRECTIONS:
            raise ValueError(f"direction must be one of {', '.join(DIRECTIONS)}, got {direction!r}")
        super().__init__(forward_reward_weight=DIRECTIONS[direction], render_mode=render_mode)
        # Not the parent's arguments.
        utils.EzPickle.__init__(self, direction=direction, render_mode=render_mode)

    def step(
        self, action: NDArray[np.floating]
    ) -> tuple[NDArray[np.float64], float, bool, bool, dict[str, Any]]:
        """Drive the joints for 0.04 s; see the parent class."""
        observation, reward, terminated, truncated, info = super().step(action)
        terms = {"speed": info.pop("reward_forward"), "control": info.pop("reward_ctrl")}
        info["reward_terms"] = {name: float(value) for name, value in terms.items()}
        return observation, float(reward), terminated, truncated, info

    def coverage_tracker(self) -> ProgressTracker:
        """Return a new tracker of which way episodes swim."""
        return ProgressTracker(_VELOCITY, self.dt, stride=_PATH_STRIDE)
