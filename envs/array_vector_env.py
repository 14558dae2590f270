"""Many agents of an array world, stepped as arrays."""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np
from gymnasium.vector import AutoresetMode, VectorEnv
from gymnasium.vector.utils import batch_space
from numpy.typing import NDArray

from expedition.envs.array_env import RENDER_FPS
from expedition.envs.array_world import Array, ArrayWorld, Flags
from expedition.envs.coverage import CoverageTracker
from expedition.envs.vector_seeds import CopyGenerators, Seed, reset_mask


class ArrayVectorEnv(VectorEnv[Array, NDArray[np.float32], NDArray[Any]]):
    """The native vector environment of an array world.

    It returns, to the last bit, what ``SyncVectorEnv`` of the single environments with
    ``AutoresetMode.SAME_STEP`` returns, infos included, in a fraction of the time: at an episode's
    end the observation is the next episode's first, and the last one is in ``infos["final_obs"]``.

    Args:
        world: A world of n agents.
        max_episode_steps: Horizon; the episode is truncated after so many steps. ``None``: never.
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
        self, world: ArrayWorld, *, max_episode_steps: int | None, render_mode: str | None
    ) -> None:
        if max_episode_steps is not None and max_episode_steps < 1:
            raise ValueError(f"max_episode_steps must be at least 1, got {max_episode_steps}")
        self.world = world
        self.num_envs = world.agents
        self.single_observation_space = world.observation_space
        self.single_action_space = world.action_space
        self.observation_space = batch_space(world.observation_space, self.num_envs)
        self.action_space = batch_space(world.action_space, self.num_envs)
        self.max_episode_steps = max_episode_steps
        self.render_mode = render_mode
        self._elapsed = np.zeros(self.num_envs, dtype=np.int64)
        self._generators = CopyGenerators(self.num_envs)
        self._trails: list[list[Array]] = [[] for _ in range(self.num_envs)]  # for frames only

    def reset(
        self, *, seed: Seed = None, options: dict[str, Any] | None = None
    ) -> tuple[Array, dict[str, Any]]:
        """Begin episodes.

        Args:
            seed: Copy i draws with ``seed + i``; or one seed for each copy.
            options: ``{"reset_mask": bool array (n,)}`` resets only some copies.

        Returns:
            Observations (n, d), and empty infos.

        Raises:
            ValueError: If the mask or the list of seeds is not of shape (n,).
        """
        mask = reset_mask(options, self.num_envs)
        self._generators.seed(seed, mask)
        self._reset(mask)
        return self.world.observations(), {}

    def step(
        self, actions: NDArray[np.floating]
    ) -> tuple[Array, Array, Flags, Flags, dict[str, Any]]:
        """Carry out one action in each copy.

        Args:
            actions: Shape (n, action dimensions).

        Returns:
            Observations (n, d), rewards (n,), terminations (n,), truncations (n,), infos.

        Raises:
            ValueError: If the actions have another shape or are NaN.
        """
        outcome = self.world.step(self.world.allowed(np.asarray(actions)))
        self._elapsed += 1
        observations = self.world.observations()
        if self.render_mode is not None:
            for trail, place in zip(self._trails, self.world.places(), strict=True):
                trail.append(place)
        truncations = np.zeros(self.num_envs, dtype=bool)
        if self.max_episode_steps is not None:
            truncations = self._elapsed >= self.max_episode_steps
        ended = outcome.terminations | truncations
        infos: dict[str, Any] = {}
        if ended.any():
            infos = final_infos(observations, ended)
            self._reset(ended)
            observations = self.world.observations()
        return observations, outcome.rewards, outcome.terminations, truncations, infos

    def render(self) -> tuple[NDArray[np.uint8], ...] | None:
        """Draw every copy, each (height, width, 3)."""
        if self.render_mode != "rgb_array":
            return None
        places = self.world.places()
        return tuple(
            self.world.frame(copy, np.array(trail or [places[copy]]))
            for copy, trail in enumerate(self._trails)
        )

    def coverage_tracker(self) -> CoverageTracker:
        """Return a new tracker of the states visited."""
        return self.world.coverage_tracker()

    def state_dict(self) -> dict[str, Any]:
        """Everything the future of the episodes depends on, as plain arrays."""
        return {
            "world": self.world.state_dict(),
            "elapsed": self._elapsed.copy(),
            "generators": self._generators.packed(),
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Continue from a state of :meth:`state_dict`.

        Raises:
            ValueError: If the state is of another number of copies.
        """
        if len(state["elapsed"]) != self.num_envs:
            raise ValueError(
                f"the state is of {len(state['elapsed'])} copies, not of {self.num_envs}"
            )
        self.world.load_state_dict(state["world"])
        self._elapsed = np.array(state["elapsed"])
        self._generators.load(state["generators"])
        self._trails = [[place] for place in self.world.places()]

    def _reset(self, mask: Flags) -> None:
        agents = np.flatnonzero(mask)
        self.world.start(agents, self._generators.of(mask))
        self._elapsed[agents] = 0
        if self.render_mode is not None:
            places = self.world.places()
            for agent in agents:
                self._trails[agent] = [places[agent]]


def final_infos(
    observations: Array, ended: Flags, final_info: dict[str, Any] | None = None
) -> dict[str, Any]:
    """Lay out the infos of ended episodes as ``SyncVectorEnv`` does.

    Args:
        observations: (n, d), those that the episodes ended with.
        ended: (n,), which did.
        final_info: Columns of their infos and the masks beside them; empty when not given.
    """
    final = np.full(len(ended), None, dtype=object)
    for copy in np.flatnonzero(ended):
        final[copy] = observations[copy].copy()
    return {
        "final_obs": final,
        "_final_obs": ended.copy(),
        "final_info": final_info or {},
        "_final_info": ended.copy(),
    }
