"""A point and a goal in a square, or on a half circle."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, get_args

import numpy as np

from expedition.envs.goals import arc_goals
from expedition.envs.planar_point import PlanarPoint
from expedition.envs.task_env import WorldEnv
from expedition.envs.task_vector_env import WorldVectorEnv
from expedition.envs.task_world import Array, Outcome, Reward

Goals = Literal["square", "half_circle"]

STEP_SIZE = 0.1
SQUARE = 0.5  # half the width of the square of goals
ARC_RADIUS = 1.0
SUCCESS_RADIUS = 0.2
TOLERANCE = 0.01  # in x and in y; closer to a goal in the square, an episode is over
HORIZON = 100
_EXTENTS = {"square": 1.0, "half_circle": 1.4}


class PointGoalsWorld(PlanarPoint):
    """Points on the navigation task.

    Args:
        agents: Number of points n.
        reward: ``"dense"`` or ``"sparse"``.
        goals: ``"square"`` or ``"half_circle"``.
    """

    def __init__(self, agents: int, reward: Reward, goals: Goals) -> None:
        if goals not in get_args(Goals):
            raise ValueError(f"goals must be one of {get_args(Goals)}, got {goals!r}")
        super().__init__(
            agents,
            reward,
            step_size=STEP_SIZE,
            success_radius=SUCCESS_RADIUS,
            extent=_EXTENTS[goals],
        )
        self.goals = goals

    def sample_tasks(self, generator: np.random.Generator, count: int) -> Array:
        """Goals in the square or on the upper half circle, shape (count, 2)."""
        if self.goals == "square":
            return generator.uniform(-SQUARE, SQUARE, (count, 2))
        return arc_goals(generator, count, radius=ARC_RADIUS, angle=np.pi)

    def _outcome(self, distance: Array) -> Outcome:
        reached = distance <= self.success_radius
        rewards = np.where(reached, 1.0 - distance, 0.0) if self.sparse else -distance
        if self.goals == "square":
            terminations = np.all(np.abs(self._position - self._goal) < TOLERANCE, axis=-1)
        else:
            terminations = np.zeros(self.agents, dtype=bool)
        return Outcome(rewards, reached, terminations)


class PointGoalsEnv(WorldEnv):
    """Move a point from the origin to a hidden goal.

    Registered as ``expedition/PointGoals-v0``, with a horizon of 100 steps (of 20 steps with goals
    on the half circle, in the literature: pass ``max_episode_steps=20``).

    ## Observation space: ``Box(-inf, inf, (2,), float64)``

    | index | name             | unit       |
    |-------|------------------|------------|
    | 0     | x of the point   | world unit |
    | 1     | y of the point   | world unit |

    The goal is hidden.

    ## Action space: ``Box(-1, 1, (2,), float32)``
    The displacement in x and y, in units of 0.1; clipped.

    ## Task: the goal, shape (2,)
    ``goals="square"``: uniform in ``[-0.5, 0.5]^2``. ``goals="half_circle"``: uniform on the upper
    half of the unit circle.

    ## Reward
    With d the distance from the goal after the step: dense ``-d``; sparse ``1 - d`` if d is at most
    0.2, else 0.

    ## Episodes
    Start at the origin. In the square an episode terminates when the point is closer than 0.01 to
    its goal in x and in y. The time limit truncates it.

    ## Source
    Square: 2-D navigation of Finn et al. 2017 (arXiv:1703.03400). Half circle: sparse point robot
    of Rakelly et al. 2019 (arXiv:1903.08254), there with evenly spaced goals, here with random
    ones. Difference: actions are in units of the largest displacement.

    ## Versions
    v0: first version.

    Args:
        reward: ``"dense"`` or ``"sparse"``.
        goals: ``"square"`` or ``"half_circle"``.
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
        goals: Goals = "square",
        task_seed: int = 0,
        task: Sequence[float] | None = None,
        render_mode: str | None = None,
    ) -> None:
        world = PointGoalsWorld(1, reward, goals)
        super().__init__(world, task_seed=task_seed, task=task, render_mode=render_mode)


class PointGoalsVectorEnv(WorldVectorEnv):
    """Native vector form of :class:`PointGoalsEnv`; arguments as there.

    Args:
        num_envs: Number of points n.
        reward: ``"dense"`` or ``"sparse"``.
        goals: ``"square"`` or ``"half_circle"``.
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
        goals: Goals = "square",
        task_seed: int = 0,
        task: Sequence[float] | None = None,
        max_episode_steps: int = HORIZON,
        render_mode: str | None = None,
    ) -> None:
        super().__init__(
            PointGoalsWorld(num_envs, reward, goals),
            task_seed=task_seed,
            task=task,
            max_episode_steps=max_episode_steps,
            render_mode=render_mode,
        )
