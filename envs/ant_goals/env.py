"""The ant that seeks goals, single and vectorised."""

from __future__ import annotations

from collections.abc import Sequence

from expedition.envs.ant_goals.world import AntGoalsWorld
from expedition.envs.task_env import WorldEnv
from expedition.envs.task_vector_env import WorldVectorEnv
from expedition.envs.task_world import Reward

HORIZON = 200


class AntGoalsEnv(WorldEnv):
    """Walk a four-legged ant to a hidden goal.

    Registered as ``expedition/AntGoals-v0``, with a horizon of 200 steps of 0.01 s.

    ## Observation space: ``Box(-inf, inf, (125,), float64)``

    | index   | name                                                          | unit       |
    |---------|---------------------------------------------------------------|------------|
    | 0-2     | x, y and height of the torso                                  | m          |
    | 3-6     | orientation of the torso (quaternion)                         |            |
    | 7-14    | angles of hip and ankle of legs 1 to 4                        | rad        |
    | 15-17   | velocity of the torso                                         | m/s        |
    | 18-20   | angular velocity of the torso                                 | rad/s      |
    | 21-28   | velocities of hip and ankle of legs 1 to 4                    | rad/s      |
    | 29-112  | torque and force on each of 14 bodies by contacts, in [-1, 1] | N m, N     |
    | 113-121 | rotation matrix of the torso                                  |            |
    | 122-124 | centre of mass of the whole ant                               | m          |

    The goal is hidden.

    ## Action space: ``Box(-1, 1, (8,), float32)``
    Torque on hip and ankle of leg 4, then of legs 1, 2 and 3, in units of 30 N m; clipped.

    ## Task: the goal, shape (2,)
    Uniform on the upper half of the circle of radius 2 m.

    ## Reward
    With d the distance of the centre of mass from the goal after the step, as the sum of the
    distances in x and in y, a the action, and f the contact forces of the observation:
    ``4 - d - 0.005 |a|^2 - 0.0005 |f|^2 + 0.05``. Sparse: if the straight distance is above 0.8 m,
    the goal's distance from the origin, in the same measure as d, stands for d.

    ## Episodes
    Start 0.55 m above the floor, the ankles at 1 rad, with normal noise of standard deviation 0.01
    on positions and 0.1 on velocities. An episode terminates when the torso is lower than 0.2 m or
    higher than 1 m; the time limit truncates it.

    ## Source
    Gupta et al. 2018 (arXiv:1802.07245) and its released code, whose reward differs from the
    paper's; the model is our own, written from the original's dimensions. ``Ant-v5`` of Gymnasium
    is another task: its gears are 150 and its actions last five steps. Difference: the constraint
    solver starts each step anew.

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
        world = AntGoalsWorld(1, reward)
        super().__init__(world, task_seed=task_seed, task=task, render_mode=render_mode)


class AntGoalsVectorEnv(WorldVectorEnv):
    """Native vector form of :class:`AntGoalsEnv`; arguments as there.

    Args:
        num_envs: Number of ants n.
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
            AntGoalsWorld(num_envs, reward),
            task_seed=task_seed,
            task=task,
            max_episode_steps=max_episode_steps,
            render_mode=render_mode,
        )
