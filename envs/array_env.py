"""One agent of an array world, as a Gymnasium environment."""

from __future__ import annotations

from typing import Any, ClassVar

import gymnasium as gym
import numpy as np
from numpy.typing import NDArray

from expedition.envs.array_world import Array, ArrayWorld
from expedition.envs.coverage import CoverageTracker

RENDER_FPS = 20
_AGENT = np.zeros(1, dtype=np.intp)


class ArrayEnv(gym.Env[Array, NDArray[np.float32]]):
    """The single environment of an array world.

    Args:
        world: A world of one agent.
        render_mode: ``"rgb_array"`` or ``None``.
    """

    metadata: ClassVar[dict[str, Any]] = {
        "render_modes": ["rgb_array"],
        "render_fps": RENDER_FPS,
    }

    def __init__(self, world: ArrayWorld, *, render_mode: str | None) -> None:
        self.world = world
        self.observation_space = world.observation_space
        self.action_space = world.action_space
        self.render_mode = render_mode
        self._trail: list[Array] = []  # for frames only, and not part of the state

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[Array, dict[str, Any]]:
        """Begin an episode.

        Args:
            seed: Seeds the start state and what else is drawn.
            options: Ignored.

        Returns:
            Observation, and an empty info.
        """
        super().reset(seed=seed)
        self.world.start(_AGENT, [self.np_random])
        self._trail = [self.world.places()[0]]
        return self.world.observations()[0], {}

    def step(self, action: NDArray[np.floating]) -> tuple[Array, float, bool, bool, dict[str, Any]]:
        """Carry out an action.

        Returns:
            Observation, reward, termination, False (the time limit is a wrapper's), and an empty
            info.

        Raises:
            ValueError: If the action has another shape or is NaN.
        """
        outcome = self.world.step(self.world.allowed(np.asarray(action)[None]))
        if self.render_mode is not None:
            self._trail.append(self.world.places()[0])
        terminated = bool(outcome.terminations[0])
        return self.world.observations()[0], float(outcome.rewards[0]), terminated, False, {}

    def render(self) -> NDArray[np.uint8] | None:
        """Draw the agent's world and its trail in this episode, shape (height, width, 3)."""
        if self.render_mode != "rgb_array":
            return None
        return self.world.frame(0, np.array(self._trail or self.world.places()))

    def coverage_tracker(self) -> CoverageTracker:
        """Return a new tracker of the states visited."""
        return self.world.coverage_tracker()

    def state_dict(self) -> dict[str, Any]:
        """Everything the future of the episode depends on, as plain arrays."""
        return {"world": self.world.state_dict()}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Continue from a state of :meth:`state_dict`."""
        self.world.load_state_dict(state["world"])
        self._trail = [self.world.places()[0]]
