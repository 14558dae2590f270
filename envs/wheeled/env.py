"""The wheeled robot, single and vectorised."""

from __future__ import annotations

from collections.abc import Sequence

from expedition.envs.task_env import WorldEnv
from expedition.envs.task_vector_env import WorldVectorEnv
from expedition.envs.task_world import Reward
from expedition.envs.wheeled.world import WheeledWorld

HORIZON = 200


class WheeledEnv(WorldEnv):
    """Drive a car with two wheels to a hidden goal.

    Registered as ``expedition/Wheeled-v0``, with a horizon of 200 steps of 0.01 s. At full torque
    the car needs about 1.1 s to the goals' circle, so it must brake.

    ## Observation space: ``Box(-inf, inf, (12,), float64)``

    | index | name                                       | unit  |
    |-------|--------------------------------------------|-------|
    | 0-2   | x, y and height of the car (0 on wheels)   | m     |
    | 3     | heading                                    | rad   |
    | 4, 5  | angle of the right and of the left wheel   | rad   |
    | 6-8   | velocity of the car                        | m/s   |
    | 9     | rate of turn                               | rad/s |
    | 10, 11 | speed of the right and of the left wheel  | rad/s |

    The goal is hidden.

    ## Action space: ``Box(-1, 1, (2,), float32)``
    Torque on the right and on the left wheel, in units of 2 N m; clipped.

    ## Task: the goal, shape (2,)
    Uniform on the upper half of the circle of radius 2 m.

    ## Reward
    With d the distance from the goal after the step, and u the torques: ``-d - 0.05 |u|^2``.
    Sparse: if d is above 0.8 m, the goal's distance from the origin (2 m) stands for d.

    ## Episodes
    Start at the origin, with normal noise of standard deviation 0.01 on positions and 0.1 on
    velocities. Nothing terminates an episode; the time limit truncates it.

    ## Source
    Gupta et al. 2018 (arXiv:1802.07245) and its released code; the model is our own, written from
    the original's dimensions and effective masses. Differences: the goal is no body of the model;
    the constraint solver starts each step anew.

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
        world = WheeledWorld(1, reward)
        super().__init__(world, task_seed=task_seed, task=task, render_mode=render_mode)


class WheeledVectorEnv(WorldVectorEnv):
    """Native vector form of :class:`WheeledEnv`; arguments as there.

    Args:
        num_envs: Number of robots n.
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
            WheeledWorld(num_envs, reward),
            task_seed=task_seed,
            task=task,
            max_episode_steps=max_episode_steps,
            render_mode=render_mode,
        )
