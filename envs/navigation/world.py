"""The state of n agents in an m-hall world: what the single and the vector environment share."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from expedition.envs.navigation.geometry import GOAL_RADIUS, HallGeometry
from expedition.envs.navigation.physics import HallPhysics


class NavigationWorld:
    """Positions and (hidden) velocities of n agents, and the reward of being where they are.

    Args:
        geometry: The halls.
        agents: Number of agents n; they do not meet each other.
    """

    def __init__(self, geometry: HallGeometry, agents: int) -> None:
        self.geometry = geometry
        self._physics = HallPhysics(geometry)
        self._goal_x, self._goal_y = geometry.goal_positions.T[:, :, None]
        self._goal_reward = 1.0 / len(geometry.goal_positions)
        self._position = np.zeros((2, agents))
        self._velocity = np.zeros((2, agents))

    @property
    def observations(self) -> NDArray[np.float64]:
        """Positions, a new array of shape (n, 2)."""
        return np.array(self._position.T, order="C")

    def reset(self, agents: NDArray[np.bool_] | slice) -> None:
        """Put the chosen agents at the origin, at rest."""
        self._position[:, agents] = 0.0
        self._velocity[:, agents] = 0.0

    def step(self, actions: NDArray[np.floating]) -> None:
        """Move all agents by one step.

        Args:
            actions: Forces, shape (n, 2), clipped to [-1, 1].

        Raises:
            ValueError: If an action is NaN.
        """
        force = np.array(actions.T, dtype=np.float64, order="C")
        np.maximum(np.minimum(force, 1.0, out=force), -1.0, out=force)
        if np.isnan(force).any():
            raise ValueError(f"actions must be numbers, got {actions}")
        self._position, self._velocity = self._physics.step(self._position, self._velocity, force)

    def rewards(self) -> NDArray[np.float64]:
        """1 / (number of goals) for each agent inside a goal disc, else 0; shape (n,)."""
        dx, dy = self._position[0] - self._goal_x, self._position[1] - self._goal_y
        return self._goal_reward * (dx * dx + dy * dy < GOAL_RADIUS**2).any(axis=0)

    def state_dict(self) -> dict[str, Any]:
        """Positions and velocities, each (2, n)."""
        return {"position": self._position.copy(), "velocity": self._velocity.copy()}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Take up a state of as many agents.

        Raises:
            ValueError: If the state is of another number of agents.
        """
        position, velocity = np.asarray(state["position"]), np.asarray(state["velocity"])
        if position.shape != self._position.shape or velocity.shape != self._velocity.shape:
            raise ValueError(
                f"the state has positions of shape {position.shape} for a world of "
                f"{self._position.shape[1]} agents"
            )
        self._position, self._velocity = position.copy(), velocity.copy()
