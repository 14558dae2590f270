"""The half-cheetah that runs forwards or backwards, single and vectorised."""

from __future__ import annotations

from collections.abc import Sequence

from expedition.envs.cheetah_direction.world import HalfCheetahDirectionWorld
from expedition.envs.task_env import WorldEnv
from expedition.envs.task_vector_env import WorldVectorEnv
from expedition.envs.task_world import Reward

HORIZON = 200


class HalfCheetahDirectionEnv(WorldEnv):
    """Run a half-cheetah forwards or backwards; which of the two is hidden.

    Registered as ``expedition/HalfCheetahDirection-v0``, with a horizon of 200 steps of 0.01 s, as
    in the original. Later work acts every 0.05 s for 100 steps: ``frame_skip=5`` and
    ``max_episode_steps=100``.

    ## Observation space: ``Box(-inf, inf, (20,), float64)``

    | index | name                                                          | unit       |
    |-------|---------------------------------------------------------------|------------|
    | 0, 1  | height and pitch of the torso, from where they start          | m, rad     |
    | 2-7   | angles of thigh, shin and foot of the back and the front leg  | rad        |
    | 8-10  | velocity of the torso along x and z, and its rate of pitch    | m/s, rad/s |
    | 11-16 | velocities of the angles 2-7                                  | rad/s      |
    | 17-19 | centre of mass of the whole cheetah                           | m          |

    ## Action space: ``Box(-1, 1, (6,), float32)``
    Torque on the joints of 2-7, in units of the model's gears; clipped.

    ## Task: the direction, shape (1,)
    1 is forwards and -1 is backwards. Both splits hold these two tasks.

    ## Reward
    The velocity of the centre of mass along the direction, minus 0.05 times the squared action.
    There is no sparse form. ``info["reached"]`` says whether that velocity is positive.

    ## Episodes
    Start on all feet, with normal noise of standard deviation 0.01 on positions and 0.1 on
    velocities. Nothing terminates an episode; the time limit truncates it.

    ## Source
    Finn et al. 2017 (arXiv:1703.03400) and its released code. The model is Gymnasium's.

    ## Versions
    v0: first version.

    Args:
        reward: ``"dense"``.
        frame_skip: Steps of 0.01 s that an action lasts.
        task_seed: Has no effect: there are only two tasks.
        task: The direction of the first episode; ``None`` means forwards.
        render_mode: ``"rgb_array"`` or ``None``.

    Raises:
        ValueError: If an argument is outside its range.
    """

    def __init__(
        self,
        reward: Reward = "dense",
        *,
        frame_skip: int = 1,
        task_seed: int = 0,
        task: Sequence[float] | None = None,
        render_mode: str | None = None,
    ) -> None:
        world = HalfCheetahDirectionWorld(1, reward, frame_skip)
        super().__init__(world, task_seed=task_seed, task=task, render_mode=render_mode)


class HalfCheetahDirectionVectorEnv(WorldVectorEnv):
    """Native vector form of :class:`HalfCheetahDirectionEnv`; arguments as there.

    Args:
        num_envs: Number of cheetahs n.
        reward: ``"dense"``.
        frame_skip: As of the single environment.
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
        frame_skip: int = 1,
        task_seed: int = 0,
        task: Sequence[float] | None = None,
        max_episode_steps: int = HORIZON,
        render_mode: str | None = None,
    ) -> None:
        super().__init__(
            HalfCheetahDirectionWorld(num_envs, reward, frame_skip),
            task_seed=task_seed,
            task=task,
            max_episode_steps=max_episode_steps,
            render_mode=render_mode,
        )
