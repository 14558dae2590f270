"""Many independent agents in m-hall worlds, stepped as arrays."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar

import numpy as np
from gymnasium.vector import AutoresetMode, VectorEnv
from gymnasium.vector.utils import batch_space
from numpy.typing import NDArray

from expedition.envs.navigation.env import RENDER_FPS, action_space, observation_space
from expedition.envs.navigation.geometry import HallGeometry
from expedition.envs.navigation.rendering import HallRenderer
from expedition.envs.navigation.tracker import HallTracker
from expedition.envs.navigation.world import NavigationWorld

Array = NDArray[np.float64]
Flags = NDArray[np.bool_]
Seed = int | Sequence[int | None] | None


class NavigationVectorEnv(VectorEnv[Array, NDArray[np.float32], NDArray[Any]]):
    """Native vector form of :class:`~expedition.envs.navigation.NavigationEnv`.

    It returns, to the last bit, what ``SyncVectorEnv`` of single environments with
    ``AutoresetMode.SAME_STEP`` returns, infos included, in a fraction of the time: at an episode's
    end the observation is the next episode's first, and the last one is in ``infos["final_obs"]``.

    Args:
        num_envs: Number of agents n.
        halls: As of the single environment.
        hall_length: As of the single environment.
        goals: As of the single environment.
        max_episode_steps: Horizon; the episode is truncated after so many steps.
        render_mode: ``"rgb_array"`` or ``None``.

    Raises:
        ValueError: If an argument is outside its range.
    """

    metadata: ClassVar[dict[str, Any]] = {
        "render_modes": ["rgb_array"],
        "render_fps": RENDER_FPS,
        "autoreset_mode": AutoresetMode.SAME_STEP,
    }

    def __init__(
        self,
        num_envs: int = 1,
        *,
        halls: int = 3,
        hall_length: float = 10.0,
        goals: Sequence[int] | None = None,
        max_episode_steps: int = 100,
        render_mode: str | None = None,
    ) -> None:
        if num_envs < 1 or max_episode_steps < 1:
            raise ValueError(
                f"num_envs and max_episode_steps must be at least 1, "
                f"got {num_envs} and {max_episode_steps}"
            )
        self.num_envs = num_envs
        self.geometry = HallGeometry(halls, hall_length, goals)
        self.single_observation_space = observation_space(self.geometry)
        self.single_action_space = action_space()
        self.observation_space = batch_space(self.single_observation_space, num_envs)
        self.action_space = batch_space(self.single_action_space, num_envs)
        self.max_episode_steps = max_episode_steps
        self.render_mode = render_mode
        self._world = NavigationWorld(self.geometry, num_envs)
        self._elapsed = np.zeros(num_envs, dtype=np.int64)
        self._renderer = HallRenderer(self.geometry) if render_mode == "rgb_array" else None
        self._trails: list[list[Array]] = [[] for _ in range(num_envs)]

    def reset(
        self, *, seed: Seed = None, options: dict[str, Any] | None = None
    ) -> tuple[Array, dict[str, Any]]:
        """Put the agents at the origin, at rest.

        Args:
            seed: One seed or one for each agent; nothing is drawn from it.
            options: ``{"reset_mask": bool array (n,)}`` resets only some agents.

        Returns:
            Positions, shape (n, 2), and an empty info.

        Raises:
            ValueError: If the mask or the list of seeds is not of shape (n,).
        """
        super().reset(seed=self._first_seed(seed))
        mask = np.asarray((options or {}).get("reset_mask", np.ones(self.num_envs, dtype=bool)))
        if mask.shape != (self.num_envs,) or mask.dtype != bool:
            raise ValueError(f"reset_mask must hold {self.num_envs} booleans, got {mask!r}")
        self._reset(mask)
        return self._world.observations, {}

    def step(
        self, actions: NDArray[np.floating]
    ) -> tuple[Array, Array, Flags, Flags, dict[str, Any]]:
        """Push all agents for one step of 0.01 s; those at their horizon begin a new episode.

        Args:
            actions: Forces, shape (n, 2), clipped to [-1, 1].

        Returns:
            Positions (n, 2), rewards (n,), terminations (n,), truncations (n,), infos.

        Raises:
            ValueError: If the actions have another shape or are NaN.
        """
        actions = np.asarray(actions)
        if actions.shape != (self.num_envs, 2):
            raise ValueError(f"actions must have shape {(self.num_envs, 2)}, got {actions.shape}")
        self._world.step(actions)
        self._elapsed += 1
        observations, rewards = self._world.observations, self._world.rewards()
        if self._renderer is not None:
            self._extend_trails(observations)
        truncations = self._elapsed >= self.max_episode_steps
        infos: dict[str, Any] = {}
        if truncations.any():
            infos = self._final_infos(observations, truncations)
            self._reset(truncations)
            observations = self._world.observations
        return observations, rewards, np.zeros(self.num_envs, dtype=bool), truncations, infos

    def render(self) -> tuple[NDArray[np.uint8], ...] | None:
        """Draw every agent's world, each (400, 400, 3)."""
        if self._renderer is None:
            return None
        return tuple(self._renderer.draw(np.array(trail)) for trail in self._trails)

    def coverage_tracker(self) -> HallTracker:
        """Return a new tracker of the halls and places visited."""
        return HallTracker(self.geometry)

    def state_dict(self) -> dict[str, Any]:
        """Everything the future of the episodes depends on, as plain arrays."""
        return {
            "world": self._world.state_dict(),
            "elapsed": self._elapsed.copy(),
            "trails": [np.array(trail) for trail in self._trails],
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Continue from a state of :meth:`state_dict`.

        Raises:
            ValueError: If the state is of another number of agents.
        """
        self._world.load_state_dict(state["world"])
        self._elapsed = np.array(state["elapsed"])
        self._trails = [list(np.array(trail).reshape(-1, 2)) for trail in state["trails"]]

    def _first_seed(self, seed: Seed) -> int | None:
        if seed is None or isinstance(seed, int | np.integer):
            return None if seed is None else int(seed)
        if len(seed) != self.num_envs:
            raise ValueError(f"expected {self.num_envs} seeds, got {len(seed)}")
        return seed[0]

    def _reset(self, mask: Flags) -> None:
        self._world.reset(mask)
        self._elapsed[mask] = 0
        if self._renderer is not None:
            for agent in np.flatnonzero(mask):
                self._trails[agent] = [np.zeros(2)]

    def _extend_trails(self, observations: Array) -> None:
        for trail, observation in zip(self._trails, observations, strict=True):
            trail.append(observation.copy())

    def _final_infos(self, observations: Array, ended: Flags) -> dict[str, Any]:
        """Lay out the infos as ``SyncVectorEnv`` does for environments with empty infos."""
        final = np.full(self.num_envs, None, dtype=object)
        for agent in np.flatnonzero(ended):
            final[agent] = observations[agent].copy()
        return {
            "final_obs": final,
            "_final_obs": ended.copy(),
            "final_info": {},
            "_final_info": ended.copy(),
        }
