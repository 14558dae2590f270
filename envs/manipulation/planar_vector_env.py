"""Many independent grippers and blocks on planar tables, stepped as arrays."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar

import numpy as np
from gymnasium.vector import AutoresetMode, VectorEnv
from gymnasium.vector.utils import batch_space
from numpy.typing import NDArray

from expedition.envs.manipulation.layout import LAYOUTS
from expedition.envs.manipulation.marginal import SideTarget
from expedition.envs.manipulation.planar_env import RENDER_FPS
from expedition.envs.manipulation.planar_rendering import TableRenderer
from expedition.envs.manipulation.planar_world import PlanarWorld, action_space, observation_space
from expedition.envs.manipulation.reward import ManipulationReward, Target
from expedition.envs.manipulation.tracker import ManipulationTracker

Array = NDArray[np.float64]
Flags = NDArray[np.bool_]
Infos = dict[str, Any]


class ManipulationPlanarVectorEnv(VectorEnv[Array, NDArray[np.float32], NDArray[Any]]):
    """Native vector form of :class:`~expedition.envs.manipulation.ManipulationPlanarEnv`.

    It returns, to the last bit, what ``SyncVectorEnv`` of single environments with
    ``AutoresetMode.SAME_STEP`` returns, infos included, in a fraction of the time.

    Args:
        num_envs: Number of grippers n.
        target: As of the single environment.
        terminate: As of the single environment.
        near_weight: As of the single environment.
        side_weight: As of the single environment.
        y_bin: As of the single environment.
        window_steps: As of the single environment.
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
        target: Target = "uniform",
        terminate: bool = True,
        near_weight: float = 1.0,
        side_weight: float = 1.0,
        y_bin: float = 0.01,
        window_steps: int = 5_000,
        max_episode_steps: int = 50,
        render_mode: str | None = None,
    ) -> None:
        if num_envs < 1 or max_episode_steps < 1:
            raise ValueError(
                f"num_envs and max_episode_steps must be at least 1, "
                f"got {num_envs} and {max_episode_steps}"
            )
        reward = ManipulationReward(target, "table", near_weight, side_weight)
        self._side_target = SideTarget(reward.left_log_weight, y_bin)
        self._window_steps = window_steps
        self._terminate = terminate
        self.reward_terms = reward.names
        self.num_envs = num_envs
        self.single_observation_space = observation_space()
        self.single_action_space = action_space()
        self.observation_space = batch_space(self.single_observation_space, num_envs)
        self.action_space = batch_space(self.single_action_space, num_envs)
        self.max_episode_steps = max_episode_steps
        self.render_mode = render_mode
        self._world = PlanarWorld(reward, num_envs)
        self._elapsed = np.zeros(num_envs, dtype=np.int64)
        self._renderer = TableRenderer() if render_mode == "rgb_array" else None
        self._trails: list[list[Array]] = [[] for _ in range(num_envs)]

    def reset(
        self,
        *,
        seed: int | Sequence[int | None] | None = None,
        options: dict[str, Any] | None = None,
    ) -> tuple[Array, Infos]:
        """Put blocks and grippers at their start.

        Args:
            seed: Ignored: nothing is random.
            options: ``{"reset_mask": bool array (n,)}`` resets only some copies.

        Returns:
            Observations, shape (n, 10), and an empty info.

        Raises:
            ValueError: If the mask is not of shape (n,).
        """
        mask = np.asarray((options or {}).get("reset_mask", np.ones(self.num_envs, dtype=bool)))
        if mask.shape != (self.num_envs,) or mask.dtype != bool:
            raise ValueError(f"reset_mask must hold {self.num_envs} booleans, got {mask!r}")
        self._reset(mask)
        return self._world.observations, {}

    def step(self, actions: NDArray[np.floating]) -> tuple[Array, Array, Flags, Flags, Infos]:
        """Move all grippers; copies whose episode ends begin the next one.

        Args:
            actions: Shape (n, 4), clipped to [-1, 1].

        Returns:
            Observations (n, 10), rewards (n,), terminations (n,), truncations (n,), infos.

        Raises:
            ValueError: If the actions have another shape or are NaN.
        """
        rewards, is_off, terms = self._world.step(np.asarray(actions))
        self._elapsed += 1
        observations = self._world.observations
        if self._renderer is not None:
            for trail, observation in zip(self._trails, observations, strict=True):
                trail.append(observation.copy())
        terminations = is_off if self._terminate else np.zeros(self.num_envs, dtype=bool)
        truncations = self._elapsed >= self.max_episode_steps
        ended = terminations | truncations
        infos = _infos(terms, ended, observations)
        if ended.any():
            self._reset(ended)
            observations = self._world.observations
        return observations, rewards, terminations, truncations, infos

    def render(self) -> tuple[NDArray[np.uint8], ...] | None:
        """Draw every copy's table, each (400, 480, 3)."""
        if self._renderer is None:
            return None
        return tuple(self._renderer.draw(np.array(trail)) for trail in self._trails)

    def coverage_tracker(self) -> ManipulationTracker:
        """Return a new tracker of where blocks and grippers have been."""
        return ManipulationTracker(LAYOUTS["paper"], "table", self._side_target, self._window_steps)

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
            ValueError: If the state is of another number of copies.
        """
        self._world.load_state_dict(state["world"])
        self._elapsed = np.array(state["elapsed"])
        size = LAYOUTS["paper"].size
        self._trails = [list(np.array(trail).reshape(-1, size)) for trail in state["trails"]]

    def _reset(self, mask: Flags) -> None:
        self._world.reset(mask)
        self._elapsed[mask] = 0
        if self._renderer is not None:
            start = self._world.observations
            for copy in np.flatnonzero(mask):
                self._trails[copy] = [start[copy]]


def _infos(terms: dict[str, Array], ended: Flags, observations: Array) -> Infos:
    """Lay out the infos as ``SyncVectorEnv`` does: of ended episodes in ``final_info``."""
    infos: Infos = {}
    if ended.any():
        final = np.full(len(ended), None, dtype=object)
        for copy in np.flatnonzero(ended):
            final[copy] = observations[copy].copy()
        infos |= _with_mask("final_obs", final, ended)
        infos |= _with_mask("final_info", _terms_info(terms, ended), ended)
    if not ended.all():
        infos |= _terms_info(terms, ~ended)
    return infos


def _terms_info(terms: dict[str, Array], chosen: Flags) -> Infos:
    """The terms of the chosen copies, 0 of the others."""
    info: Infos = {}
    for name, value in terms.items():
        info |= _with_mask(name, np.where(chosen, value, 0.0), chosen)
    return _with_mask("reward_terms", info, chosen)


def _with_mask(name: str, value: Any, mask: Flags) -> Infos:
    return {name: value, f"_{name}": mask.copy()}
