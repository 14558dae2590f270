"""One agent in the m-hall world, as a Gymnasium environment."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar

import gymnasium as gym
import numpy as np
from gymnasium import spaces
from numpy.typing import NDArray

from expedition.envs.navigation.geometry import HallGeometry
from expedition.envs.navigation.rendering import HallRenderer
from expedition.envs.navigation.tracker import HallTracker
from expedition.envs.navigation.world import NavigationWorld

RENDER_FPS = 20


def observation_space(geometry: HallGeometry) -> spaces.Box:
    """Positions no further out than the outer faces of the caps."""
    return spaces.Box(-geometry.outer_radius, geometry.outer_radius, (2,), np.float64)


def action_space() -> spaces.Box:
    """Forces."""
    return spaces.Box(-1.0, 1.0, (2,), np.float32)


class NavigationEnv(gym.Env[NDArray[np.float64], NDArray[np.float32]]):
    """Push a disc from the centre into one of m dead-end halls.

    Exploration is the task: each hall's end is far from the centre, the velocity is hidden, and a
    reward is paid only at the ends. Registered as ``expedition/Navigation-v0``, with a horizon of
    100 steps (``max_episode_steps``).

    ## Observation space: ``Box(-(2 + L), 2 + L, (2,), float64)``

    | index | name         | unit        | range           |
    |-------|--------------|-------------|-----------------|
    | 0     | x of the agent | world unit | -(2+L) to 2+L  |
    | 1     | y of the agent | world unit | -(2+L) to 2+L  |

    ## Action space: ``Box(-1, 1, (2,), float32)``

    | index | name       | unit  | range   |
    |-------|------------|-------|---------|
    | 0     | force in x | force | -1 to 1 |
    | 1     | force in y | force | -1 to 1 |

    Actions outside the range are clipped.

    ## Dynamics
    ``v <- 0.9 (v + 31.83 a)`` (units per second), no faster than 200; ``x <- x + 0.01 v``, with
    impacts on walls (restitution 0.3 above 1 unit/s, friction 0.447). A constant unit force reaches
    0.286, 0.831, 1.607, 2.592, 3.766, 5.108 after 1, 2, ... steps, and 2 units a step in the end.

    ## Reward
    ``1 / (number of goals)`` on every step that ends closer than 0.5 to a goal, else 0.

    ## Episodes
    Start at the origin, at rest. Nothing terminates an episode; the time limit truncates it.

    ## Source
    ``StarEnv`` in the code of Lee et al. 2019 (arXiv:1906.05274). Differences: the velocity is
    zeroed at reset (the original lets it leak into the next episode); every hall holds a goal by
    default (the original's default: the first three); impacts are solved in closed form instead of
    by Box2D; observation bounds are finite; the time limit is a truncation, not a terminal state.

    ## Versions
    v0: first version.

    Args:
        halls: Number of halls m, 3 to 12.
        hall_length: Length L of a hall, at least 2.
        goals: Indices of the halls with a rewarded goal; ``None`` means all.
        render_mode: ``"rgb_array"`` or ``None``.

    Raises:
        ValueError: If an argument is outside its range.

    Example:
        >>> import gymnasium as gym, numpy as np
        >>> import expedition.envs
        >>> env = gym.make("expedition/Navigation-v0")
        >>> _ = env.reset(seed=0)
        >>> observation, reward, *_ = env.step(np.array([1.0, 0.0]))
        >>> observation.round(3).tolist(), reward
        ([0.286, 0.0], 0.0)
    """

    metadata: ClassVar[dict[str, Any]] = {
        "render_modes": ["rgb_array"],
        "render_fps": RENDER_FPS,
    }

    def __init__(
        self,
        halls: int = 3,
        hall_length: float = 10.0,
        goals: Sequence[int] | None = None,
        render_mode: str | None = None,
    ) -> None:
        self.geometry = HallGeometry(halls, hall_length, goals)
        self.observation_space = observation_space(self.geometry)
        self.action_space = action_space()
        self.render_mode = render_mode
        self._world = NavigationWorld(self.geometry, agents=1)
        self._renderer = HallRenderer(self.geometry) if render_mode == "rgb_array" else None
        self._trail: list[NDArray[np.float64]] = []

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[NDArray[np.float64], dict[str, Any]]:
        """Put the agent at the origin, at rest.

        Args:
            seed: Seeds ``np_random``; the environment itself draws nothing from it.
            options: Ignored.

        Returns:
            The position, shape (2,), and an empty info.
        """
        super().reset(seed=seed)
        self._world.reset(slice(None))
        observation = self._world.observations[0]
        self._trail = [observation]
        return observation.copy(), {}

    def step(
        self, action: NDArray[np.floating]
    ) -> tuple[NDArray[np.float64], float, bool, bool, dict[str, Any]]:
        """Push the agent for one step of 0.01 s.

        Args:
            action: The force, shape (2,), clipped to [-1, 1].

        Returns:
            Position, reward, False, False, and an empty info. (The time limit is a wrapper's.)

        Raises:
            ValueError: If the action is NaN.
        """
        self._world.step(np.asarray(action)[None])
        observation = self._world.observations[0]
        if self._renderer is not None:
            self._trail.append(observation)
        return observation.copy(), float(self._world.rewards()[0]), False, False, {}

    def render(self) -> NDArray[np.uint8] | None:
        """Draw the halls, goals, the agent and its trail in this episode, shape (400, 400, 3)."""
        if self._renderer is None:
            return None
        return self._renderer.draw(np.array(self._trail))

    def coverage_tracker(self) -> HallTracker:
        """Return a new tracker of the halls and places visited."""
        return HallTracker(self.geometry)

    def state_dict(self) -> dict[str, Any]:
        """Everything the future of the episode depends on, as plain arrays."""
        return {"world": self._world.state_dict(), "trail": np.array(self._trail)}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Continue from a state of :meth:`state_dict`."""
        self._world.load_state_dict(state["world"])
        self._trail = list(np.array(state["trail"]).reshape(-1, 2))
