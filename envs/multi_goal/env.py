"""A point among four equally good goals, single and vectorised."""

from __future__ import annotations

from expedition.envs.array_env import ArrayEnv
from expedition.envs.array_vector_env import ArrayVectorEnv
from expedition.envs.multi_goal.world import Form, MultiGoalWorld

HORIZON = 30


class MultiGoalEnv(ArrayEnv):
    """Steer a point to any one of four goals that are all equally good.

    A policy that is a single Gaussian has to choose one of them; whether a method keeps several is
    what is measured. Registered as ``expedition/MultiGoal-v0``, with a horizon of 30 steps.

    ## Observation space: ``Box(-7, 7, (2,), float64)``
    Position in x and y.

    ## Action space: ``Box(-1, 1, (2,), float32)``
    Velocity: the displacement in x and y; clipped.

    ## Reward
    With s' the position after the step, cut off at 7 either way: ``-30 |a|^2 - min |s' - goal|^2``,
    and 10 more if s' is closer than 1 to a goal. Goals are at (5, 0), (-5, 0), (0, 5), (0, -5).

    ## Episodes
    Start at the origin with normal noise of standard deviation 0.1. An episode terminates closer
    than 1 to a goal; the time limit truncates it.

    ## Source
    Haarnoja et al. 2017 (arXiv:1702.08165) and its released code, whose numbers changed with time:
    ``form="2018"`` is as above. In ``form="2017"`` episodes start exactly at the origin, and
    distance, bonus and termination are taken at the position before the step. Difference: the time
    limit is a truncation.

    ## Versions
    v0: first version.

    Args:
        form: ``"2018"`` or ``"2017"``.
        render_mode: ``"rgb_array"`` or ``None``.

    Raises:
        ValueError: If an argument is outside its range.
    """

    def __init__(self, form: Form = "2018", *, render_mode: str | None = None) -> None:
        super().__init__(MultiGoalWorld(1, form), render_mode=render_mode)


class MultiGoalVectorEnv(ArrayVectorEnv):
    """Native vector form of :class:`MultiGoalEnv`; arguments as there.

    Args:
        num_envs: Number of points n.
        form: As of the single environment.
        max_episode_steps: Horizon.
        render_mode: ``"rgb_array"`` or ``None``.
    """

    def __init__(
        self,
        num_envs: int = 1,
        *,
        form: Form = "2018",
        max_episode_steps: int | None = HORIZON,
        render_mode: str | None = None,
    ) -> None:
        world = MultiGoalWorld(num_envs, form)
        super().__init__(world, max_episode_steps=max_episode_steps, render_mode=render_mode)
