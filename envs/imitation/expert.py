"""The expert of the walk on the line: the further it is from the middle, the surer of its way."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from expedition.envs.imitation.world import HORIZON, LIMIT, START_NOISE

COMMITMENT = 0.5  # log-odds of stepping away from the middle, per unit of distance from it
STEP = 0.6  # mean length of a step
STEP_NOISE = 0.15  # standard deviation

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Demonstrations:
    """E episodes of the expert, one after the other, N steps in all.

    Attributes:
        observations: Positions in which actions were taken, shape (N, 1).
        actions: Shape (N, 1).
        lengths: Steps of each episode, shape (E,); they add up to N.
        finals: Positions after the last steps, shape (E, 1).
    """

    observations: Array
    actions: Array
    lengths: NDArray[np.int64]
    finals: Array


def expert(seed: int, episodes: int = 10_000) -> Demonstrations:
    """Let the expert walk.

    In every step it heads up with probability ``sigmoid(0.5 s)``, else down, and takes the action
    ``0.6`` that way with normal noise of standard deviation 0.15, clipped to [-1, 1]. Its actions
    have two modes in the middle, and one near the ends.

    Args:
        seed: Of all random numbers.
        episodes: How many, E.

    Returns:
        The same for the same arguments.

    Raises:
        ValueError: If ``episodes`` is not positive.
    """
    if episodes < 1:
        raise ValueError(f"episodes must be at least 1, got {episodes}")
    generator = np.random.default_rng(seed)
    position = generator.normal(0.0, START_NOISE, episodes)
    visited, taken = np.zeros((2, HORIZON, episodes))
    lengths = np.zeros(episodes, dtype=np.int64)
    walking = np.arange(episodes)
    for step in range(HORIZON):
        here = position[walking]
        action = expert_actions(here, generator)
        visited[step, walking], taken[step, walking] = here, action
        position[walking] = np.clip(here + action, -LIMIT, LIMIT)
        lengths[walking] += 1
        walking = walking[np.abs(position[walking]) < LIMIT]
        if not walking.size:
            break
    was_taken = np.arange(HORIZON)[:, None] < lengths
    return Demonstrations(
        visited.T[was_taken.T][:, None], taken.T[was_taken.T][:, None], lengths, position[:, None]
    )


def expert_actions(positions: Array, generator: np.random.Generator) -> Array:
    """Draw the expert's actions, shape (n,), at positions of that shape."""
    up = generator.random(positions.shape) < 1.0 / (1.0 + np.exp(-COMMITMENT * positions))
    noise = STEP_NOISE * generator.standard_normal(positions.shape)
    return np.clip(np.where(up, STEP, -STEP) + noise, -1.0, 1.0)
