"""The block pusher, single and vectorised."""

from __future__ import annotations

from collections.abc import Sequence

from expedition.envs.pusher.world import BlockPusherWorld
from expedition.envs.task_env import WorldEnv
from expedition.envs.task_vector_env import WorldVectorEnv
from expedition.envs.task_world import Reward

HORIZON = 100


class BlockPusherEnv(WorldEnv):
    """Push one of five blocks to a goal; which one, and where to, is hidden.

    Registered as ``expedition/BlockPusher-v0``, with a horizon of 100 steps of 0.01 s.

    ## Observation space: ``Box(-inf, inf, (26,), float64)``

    | index | name                                                  | unit       |
    |-------|-------------------------------------------------------|------------|
    | 0-2   | x, y and angle of the hand                            | m, m, rad  |
    | 3-12  | x and y of the centres of blocks 0 to 4               | m          |
    | 13-15 | velocity of the hand                                  | m/s, rad/s |
    | 16-25 | velocities in x and y of blocks 0 to 4                | m/s        |

    ## Action space: ``Box(-1, 1, (3,), float32)``
    Force on the hand in x and y, in units of 2 N, and torque, in units of 2 N m; clipped.

    ## Task: shape (16,)
    The index of the block that matters, x and y of its goal, and the start's joint positions: the
    hand's (0), and of each block its way in x and y from ``(0.2 (index + 1), 0)``. An arrangement
    puts a random permutation of the blocks into five lanes along x, 0.2 m wide, from y = -0.5 on; x
    is uniform from 0.35 to 0.65. It makes five tasks: for each block a goal in its own lane, x
    uniform from 0.75 to 0.95. Each split has 20 arrangements. Blocks may overlap at the start, and
    some tasks start inside the success radius.

    ## Reward
    With d the distance of the block from its goal after the step: ``-5 d``. Sparse: if d is above
    0.2 m, the goal's distance from the origin stands for d.

    ## Episodes
    Start exactly as the task says, at rest. Nothing terminates an episode; the time limit truncates
    it.

    ## Source
    Gupta et al. 2018 (arXiv:1802.07245) and its released code; the model is our own, written from
    the original's dimensions. As in the code, and unlike in the paper, the observation does not
    hold the goal and the reward is 5 times the distance. Differences: the table does not collide
    (its contacts moved nothing); the constraint solver starts each step anew.

    ## Versions
    v0: first version.

    Args:
        reward: ``"dense"`` or ``"sparse"``.
        task_seed: Seed of the training and validation tasks.
        task: The task of the first episode; ``None`` means the first training task.
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
        world = BlockPusherWorld(1, reward)
        super().__init__(world, task_seed=task_seed, task=task, render_mode=render_mode)


class BlockPusherVectorEnv(WorldVectorEnv):
    """Native vector form of :class:`BlockPusherEnv`; arguments as there.

    Args:
        num_envs: Number of hands n.
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
            BlockPusherWorld(num_envs, reward),
            task_seed=task_seed,
            task=task,
            max_episode_steps=max_episode_steps,
            render_mode=render_mode,
        )
