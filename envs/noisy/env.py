"""An environment that is observed through noise."""

from __future__ import annotations

import math
from typing import Any

import gymnasium as gym
import numpy as np
from gymnasium import spaces
from numpy.typing import NDArray

from expedition.envs.coverage import CoverageTracker, tracker_for
from expedition.envs.reward_terms import reward_terms
from expedition.envs.snapshot import capture, restore

NOISE_STD = 0.1

Observation = NDArray[np.floating]


class NoisyObservationsEnv(gym.Env[Observation, Any]):
    """Normal noise on every component of every observation, starts included.

    It is added to what the environment itself returns, before anything normalises it, in training
    and in evaluation alike. Its scale is absolute: 0.1 hides the velocity of
    ``MountainCarContinuous-v0``, which is within 0.07, and makes noise of the contact forces of an
    ant, most of which are 0. Registered as ``expedition/NoisyObservations-v0``; the horizon is that
    of the environment observed.

    ## Observation space: of the environment observed, without bounds
    ## Action space, reward, episodes, frames: of the environment observed

    ## Source
    Tang and Agrawal 2018 (arXiv:1806.06798), figure 1.

    ## Versions
    v0: first version.

    Args:
        env_id: Id of the environment observed.
        noise_std: Standard deviation of the noise.
        render_mode: Of the environment observed.
        **kwargs: Its further arguments.

    Raises:
        ValueError: If the standard deviation is negative, or the observations are not a box of
            floating point numbers.
    """

    # Of most; an instance has those of the environment observed.
    metadata: dict[str, Any] = {"render_modes": ["rgb_array", "human"]}  # noqa: RUF012

    def __init__(
        self,
        env_id: str = "Hopper-v5",
        noise_std: float = NOISE_STD,
        *,
        render_mode: str | None = None,
        **kwargs: Any,
    ) -> None:
        if not 0.0 <= noise_std < math.inf:
            raise ValueError(f"noise_std must not be negative, got {noise_std}")
        if render_mode is not None:
            kwargs["render_mode"] = render_mode
        # What it checks is the inner environment's affair, and is checked there.
        self._env = gym.make(env_id, disable_env_checker=True, **kwargs)
        clean = self._env.observation_space
        if not isinstance(clean, spaces.Box) or not np.issubdtype(clean.dtype, np.floating):
            raise ValueError(f"noise needs a box of floating point numbers, {env_id} has {clean}")
        self._dtype, self._std = clean.dtype, noise_std
        self.observation_space = spaces.Box(-np.inf, np.inf, clean.shape, clean.dtype.type)
        self.action_space = self._env.action_space
        self.metadata = self._env.metadata
        self.render_mode = render_mode
        self.reward_terms = reward_terms(self._env)

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[Observation, dict[str, Any]]:
        """Begin an episode.

        Args:
            seed: Of the environment observed, which starts as it would without noise; the noise is
                independent of it.
            options: Of the environment observed.

        Returns:
            Noisy observation and its info.
        """
        super().reset(seed=seed)
        if seed is not None:
            # A generator of its own: the inner environment's, seeded alike, draws the same numbers.
            self._np_random = self.np_random.spawn(1)[0]
        observation, info = self._env.reset(seed=seed, options=options)
        return self._noisy(observation), info

    def step(self, action: Any) -> tuple[Observation, float, bool, bool, dict[str, Any]]:
        """Take a step; all but the observation is as without noise."""
        observation, reward, terminated, truncated, info = self._env.step(action)
        return self._noisy(observation), float(reward), terminated, truncated, info

    def render(self) -> Any:
        """Draw the environment observed."""
        return self._env.render()

    def close(self) -> None:
        """Close the environment observed."""
        self._env.close()

    def coverage_tracker(self) -> CoverageTracker | None:
        """Return a new tracker of the environment observed, if it has one; it will see noise."""
        return tracker_for(self._env)

    def state_dict(self) -> dict[str, Any]:
        """Everything the future of the episode depends on, as plain data."""
        return {"env": capture(self._env)}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Continue from a state of :meth:`state_dict`."""
        restore(self._env, state["env"])

    def _noisy(self, observation: Observation) -> Observation:
        noise = self._std * self.np_random.standard_normal(observation.shape)
        return (observation + noise).astype(self._dtype)
