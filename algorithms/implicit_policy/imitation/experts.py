"""Experts that need no training, by name."""

from collections.abc import Callable, Mapping
from functools import partial

import numpy as np
from ray.rllib.env.env_context import EnvContext

from expedition.algorithms.core.episodes import EpisodeSampler
from expedition.algorithms.core.vector_env import make_vector_env
from expedition.algorithms.implicit_policy.imitation.trajectories import (
    Trajectories,
    from_batch,
    pooled,
)
from expedition.envs.imitation import expert as imitation_1d_expert
from expedition.envs.swimmer import gait

_SWIMMERS_AT_ONCE = 20

Expert = Callable[[int, int], Trajectories]
"""(seed, episodes) -> trajectories."""


def imitation_1d(seed: int, episodes: int) -> Trajectories:
    """Walks of the expert of ``expedition/Imitation1D-v0``."""
    shown = imitation_1d_expert(seed, episodes)
    rewards = np.zeros(len(shown.actions))
    rewards[np.cumsum(shown.lengths) - 1] = np.abs(shown.finals[:, 0]) >= 10.0  # where it pays
    return Trajectories(
        shown.observations.astype(np.float32),
        shown.actions.astype(np.float32),
        rewards,
        shown.lengths,
        shown.finals.astype(np.float32),
    )


class GaitActor:
    """A scripted swimmer for a sampler of episodes.

    Args:
        direction: 1 forward, -1 backward.
    """

    def __init__(self, direction: float) -> None:
        self.direction = direction

    def draw(self, obs: np.ndarray, noise: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Torques without and with noise; see ``Actor.draw``."""
        means = gait(obs, np.zeros_like(noise), self.direction).astype(np.float32)
        return means, gait(obs, noise, self.direction).astype(np.float32)


def swimmer(direction: str, seed: int, episodes: int) -> Trajectories:
    """Swims of 1000 steps in ``expedition/StochasticSwimmer-v0``."""
    copies = min(episodes, _SWIMMERS_AT_ONCE)
    context = EnvContext({"direction": direction}, 0)
    env = make_vector_env("expedition/StochasticSwimmer-v0", context, copies, "sync")
    sampler = EpisodeSampler(env, copies)
    actor = GaitActor(1.0 if direction == "forward" else -1.0)
    generator = np.random.default_rng([seed, direction == "forward"])
    batches = [sampler.sample(actor, [generator]) for _ in range(-(-episodes // copies))]
    env.close()
    parts = [from_batch(batch) for batch in batches]
    return pooled(parts).first(episodes)


EXPERTS: Mapping[str, Expert] = {
    "imitation_1d": imitation_1d,
    "swimmer_forward": partial(swimmer, "forward"),
    "swimmer_backward": partial(swimmer, "backward"),
}
