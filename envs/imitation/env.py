"""A walk on the line between two ends, single and vectorised."""

from __future__ import annotations

from expedition.envs.array_env import ArrayEnv
from expedition.envs.array_vector_env import ArrayVectorEnv
from expedition.envs.imitation.world import HORIZON, Imitation1DWorld


class Imitation1DEnv(ArrayEnv):
    """Walk from the middle of a line to either of its ends.

    Made to be imitated: :func:`~expedition.envs.imitation.expert` generates episodes of an expert
    whose actions have two modes in the middle and one near the ends. Registered as
    ``expedition/Imitation1D-v0``, with a horizon of 200 steps.

    ## Observation space: ``Box(-10, 10, (1,), float64)``
    Position.

    ## Action space: ``Box(-1, 1, (1,), float32)``
    Displacement; clipped.

    ## Reward
    1 for the step that comes to an end, else 0.

    ## Episodes
    Start at 0 with normal noise of standard deviation 0.1. An episode terminates at -10 or 10,
    where positions are cut off; the time limit truncates it.

    ## Source
    Tang and Agrawal 2018 (arXiv:1806.06798), figure 5. The paper gives no reward, start and expert;
    those are ours.

    ## Versions
    v0: first version.

    Args:
        render_mode: ``"rgb_array"`` or ``None``.
    """

    def __init__(self, *, render_mode: str | None = None) -> None:
        super().__init__(Imitation1DWorld(1), render_mode=render_mode)


class Imitation1DVectorEnv(ArrayVectorEnv):
    """Native vector form of :class:`Imitation1DEnv`.

    Args:
        num_envs: Number of walks n.
        max_episode_steps: Horizon.
        render_mode: ``"rgb_array"`` or ``None``.
    """

    def __init__(
        self,
        num_envs: int = 1,
        *,
        max_episode_steps: int | None = HORIZON,
        render_mode: str | None = None,
    ) -> None:
        world = Imitation1DWorld(num_envs)
        super().__init__(world, max_episode_steps=max_episode_steps, render_mode=render_mode)
