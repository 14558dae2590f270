"""A point that is paid for its speed, single and vectorised."""

from __future__ import annotations

from expedition.envs.array_env import ArrayEnv
from expedition.envs.array_vector_env import ArrayVectorEnv
from expedition.envs.point_run.world import PointRunWorld
from expedition.envs.running import RunReward

HORIZON = 200


class PointRunEnv(ArrayEnv):
    """Run, whatever the direction, in the open or between two walls.

    In the open all directions pay alike (along a diagonal 1.4 times as much, as both actions
    count), so that policies may differ in where they run and whether they always run the same way.
    A policy that was trained there is then fine-tuned in a hallway. Registered as
    ``expedition/PointRun-v0``, with a horizon of 200 steps of 0.1 s.

    ## Observation space: ``Box(-inf, inf, (4,), float64)``
    Position in x and y, velocity in x and y.

    ## Action space: ``Box(-1, 1, (2,), float32)``
    Acceleration in x and y; clipped.

    ## Dynamics
    ``v <- 0.95 v + 0.1 a``, ``x <- x + 0.1 v``. Under an action of 1 the velocity tends to 2. A
    wall at ``y = width / 2`` or ``-width / 2`` stops a point there and sets ``v_y`` to 0.

    ## Reward
    ``"speed"``: ``|v|`` after the step; ``"forward"``: ``v_x``.

    ## Episodes
    Start at the origin, at rest. Nothing terminates an episode; the time limit truncates it.

    ## Source
    A stand-in of our own making for the ant of Tang and Agrawal 2018 (arXiv:1806.06798), figures 3
    and 4 and table 2: see ``expedition/AntSpeed-v0`` and ``expedition/AntHallway-v0``.

    ## Versions
    v0: first version.

    Args:
        width: Of the hallway; ``None`` means the open plane.
        reward: ``"speed"`` or ``"forward"``.
        render_mode: ``"rgb_array"`` or ``None``.

    Raises:
        ValueError: If an argument is outside its range.
    """

    def __init__(
        self,
        width: float | None = None,
        *,
        reward: RunReward = "speed",
        render_mode: str | None = None,
    ) -> None:
        super().__init__(PointRunWorld(1, width, reward), render_mode=render_mode)


class PointRunVectorEnv(ArrayVectorEnv):
    """Native vector form of :class:`PointRunEnv`; arguments as there.

    Args:
        num_envs: Number of points n.
        width: As of the single environment.
        reward: As of the single environment.
        max_episode_steps: Horizon.
        render_mode: ``"rgb_array"`` or ``None``.
    """

    def __init__(
        self,
        num_envs: int = 1,
        *,
        width: float | None = None,
        reward: RunReward = "speed",
        max_episode_steps: int | None = HORIZON,
        render_mode: str | None = None,
    ) -> None:
        world = PointRunWorld(num_envs, width, reward)
        super().__init__(world, max_episode_steps=max_episode_steps, render_mode=render_mode)
