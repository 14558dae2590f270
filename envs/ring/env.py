"""A point and a goal on the unit circle: small, and hard to explore without structure."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from expedition.envs.goals import arc_goals
from expedition.envs.planar_point import PlanarPoint
from expedition.envs.task_env import WorldEnv
from expedition.envs.task_vector_env import WorldVectorEnv
from expedition.envs.task_world import Array, Outcome, Reward

STEP_SIZE = 0.04
GOAL_RADIUS = 1.0  # distance of the goals from the start
SUCCESS_RADIUS = 0.3
FAR_REWARD = -1.0  # sparse reward outside the success radius: as if at the start
HORIZON = 50
_EXTENT = 1.4


class RingWorld(PlanarPoint):
    """Points on the ring task.

    Args:
        agents: Number of points n.
        reward: ``"dense"`` or ``"sparse"``.
    """

    def __init__(self, agents: int, reward: Reward) -> None:
        super().__init__(
            agents,
            reward,
            step_size=STEP_SIZE,
            success_radius=SUCCESS_RADIUS,
            extent=_EXTENT,
        )

    def sample_tasks(self, generator: np.random.Generator, count: int) -> Array:
        """Goals on the whole circle, shape (count, 2)."""
        return arc_goals(generator, count, radius=GOAL_RADIUS, angle=2.0 * np.pi)

    def _outcome(self, distance: Array) -> Outcome:
        reached = distance <= self.success_radius
        rewards = np.where(reached, -distance, FAR_REWARD) if self.sparse else -distance
        return Outcome(rewards, reached, np.zeros(self.agents, dtype=bool))


class RingEnv(WorldEnv):
    """Move a point from the origin to a hidden goal on the unit circle.

    The actions' white noise of standard deviation 1 moves the point by about 0.2 in an episode, and
    no single path meets many goals: only exploration that is coherent in time finds them.
    Registered as ``expedition/Ring-v0``, with a horizon of 50 steps.

    ## Observation space: ``Box(-inf, inf, (2,), float64)``

    | index | name             | unit       |
    |-------|------------------|------------|
    | 0     | x of the point   | world unit |
    | 1     | y of the point   | world unit |

    The goal is hidden.

    ## Action space: ``Box(-1, 1, (2,), float32)``
    The displacement in x and y, in units of 0.04; clipped.

    ## Task: the goal, shape (2,)
    Distributed uniformly on the circle of radius 1.

    ## Reward
    With d the distance from the goal after the step: dense ``-d``; sparse ``-d`` if d is at most
    0.3, else -1.

    ## Episodes
    Start at the origin. Nothing terminates an episode; the time limit truncates it.

    ## Source
    A reduced form of the goal tasks of Gupta et al. 2018 (arXiv:1802.07245), of our own making.

    ## Versions
    v0: first version.

    Args:
        reward: ``"dense"`` or ``"sparse"``.
        task_seed: Seed of the training and validation tasks.
        task: The goal of the first episode; ``None`` means the first training task.
        render_mode: ``"rgb_array"`` or ``None``.

    Raises:
        ValueError: If an argument is outside its range.
    """

    def __init__(
        self,
        reward: Reward = "dense",
        *,
        task_seed: int = 0,
        task: Sequence[float] | None = None,
        render_mode: str | None = None,
    ) -> None:
        world = RingWorld(1, reward)
        super().__init__(world, task_seed=task_seed, task=task, render_mode=render_mode)


class RingVectorEnv(WorldVectorEnv):
    """Native vector form of :class:`RingEnv`; arguments as there.

    Args:
        num_envs: Number of points n.
        reward: ``"dense"`` or ``"sparse"``.
        task_seed: As of the single environment.
        task: As of the single environment.
        max_episode_steps: Horizon.
        render_mode: ``"rgb_array"`` or ``None``.
    """

    def __init__(
        self,
        num_envs: int = 1,
        *,
        reward: Reward = "dense",
        task_seed: int = 0,
        task: Sequence[float] | None = None,
        max_episode_steps: int = HORIZON,
        render_mode: str | None = None,
    ) -> None:
        super().__init__(
            RingWorld(num_envs, reward),
            task_seed=task_seed,
            task=task,
            max_episode_steps=max_episode_steps,
            render_mode=render_mode,
        )
