"""Gaussian bandits: their reward and its optimal policy, over arrays of n of them."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, Literal, get_args

import numpy as np
from gymnasium import spaces
from numpy.typing import NDArray

from expedition.envs.array_world import Array, ArrayWorld, Indices, StepOutcome
from expedition.envs.bandit.tracker import ActionTracker
from expedition.envs.plane_picture import CURVE, PlanePicture

Bounds = Literal["raw", "clip"]

_EXTENT = 1.25  # half the width of frames
_RINGS = (1.0, 2.0)  # standard deviations of the optimum at which frames show a curve


class GaussianBanditWorld(ArrayWorld):
    """n bandits.

    Args:
        agents: Number of bandits n.
        correlation: Of the two actions under the optimal policy.
        bounds: ``"raw"`` or ``"clip"``.
        temperature: Of the optimal policy that metrics and frames refer to.

    Raises:
        ValueError: If an argument is outside its range.
    """

    def __init__(self, agents: int, correlation: float, bounds: Bounds, temperature: float) -> None:
        super().__init__(agents)
        if not -1.0 < correlation < 1.0:
            raise ValueError(f"correlation must be between -1 and 1, got {correlation}")
        if bounds not in get_args(Bounds):
            raise ValueError(f"bounds must be one of {get_args(Bounds)}, got {bounds!r}")
        if not 0.0 < temperature < math.inf:
            raise ValueError(f"temperature must be positive, got {temperature}")
        self.correlation, self.temperature = correlation, temperature
        self._is_clipped = bounds == "clip"
        self.observation_space = spaces.Box(-np.inf, np.inf, (3,), np.float64)
        self.action_space = spaces.Box(-1.0, 1.0, (2,), np.float32)
        self._action = np.zeros((agents, 2))

    def start(self, agents: Indices, generators: Sequence[np.random.Generator]) -> None:
        """Forget the actions; nothing is drawn."""
        self._action[agents] = 0.0

    def step(self, actions: Array) -> StepOutcome:
        """Pay for actions (n, 2); every episode ends."""
        self._action = actions.copy()
        x, y = actions[:, 0], actions[:, 1]
        # The inverse of [[1, c], [c, 1]], spelt out.
        form = x * x - 2.0 * self.correlation * x * y + y * y
        rewards = -form / (1.0 - self.correlation**2)
        return StepOutcome(rewards, np.ones(self.agents, dtype=bool))

    def allowed(self, actions: NDArray[np.floating]) -> Array:
        """Actions as they are paid for: as they are, or clipped to [-1, 1].

        Args:
            actions: Shape (n, 2).

        Raises:
            ValueError: If they have another shape or are not numbers.
        """
        return super().allowed(actions) if self._is_clipped else self.checked(actions)

    def observations(self) -> Array:
        """The constant 1 and the last action, shape (n, 3)."""
        return np.concatenate([np.ones((self.agents, 1)), self._action], axis=1)

    def places(self) -> Array:
        """The last actions, shape (n, 2)."""
        return self._action.copy()

    def frame(self, agent: int, trail: Array) -> NDArray[np.uint8]:
        """Draw the optimum's curves of one and two deviations and the action, (400, 400, 3)."""
        picture = PlanePicture(_EXTENT)
        around = np.linspace(0.0, 2.0 * math.pi, 120)
        circle = np.stack([np.cos(around), np.sin(around)])
        root = np.linalg.cholesky(self.optimum)
        for deviations in _RINGS:
            picture.curve(deviations * (root @ circle).T, CURVE)
        picture.trail(trail[-1:])
        return picture.pixels()

    @property
    def optimum(self) -> Array:
        """Covariance of the optimal policy, shape (2, 2); its mean is 0."""
        c = self.correlation
        return 0.5 * self.temperature * np.array([[1.0, c], [c, 1.0]])

    def coverage_tracker(self) -> ActionTracker:
        """Compare actions with the optimal policy."""
        return ActionTracker(self.optimum)

    def state_dict(self) -> dict[str, Any]:
        """The last actions, shape (n, 2)."""
        return {"action": self._action.copy()}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Take up a state of as many bandits."""
        self._action[:] = state["action"]
