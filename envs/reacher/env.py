"""An arm with two equally good targets, single and vectorised."""

from __future__ import annotations

from expedition.envs.array_env import ArrayEnv
from expedition.envs.array_vector_env import ArrayVectorEnv
from expedition.envs.reacher.world import BimodalReacherWorld

HORIZON = 50
CONTROL_COST = 0.1
START_NOISE = 0.1  # rad


class BimodalReacherEnv(ArrayEnv):
    """Bring the tip of a two-link arm to either of two targets.

    The targets mirror each other about the arm's start, so that both are equally good; a policy
    that is a single Gaussian has to choose one. Registered as ``expedition/BimodalReacher-v0``,
    with a horizon of 50 steps of 0.02 s.

    ## Observation space: ``Box(-inf, inf, (9,), float64)``

    | index | name                                | unit  | range          |
    |-------|-------------------------------------|-------|----------------|
    | 0, 1  | cosine of shoulder and elbow        |       | -1 to 1        |
    | 2, 3  | sine of shoulder and elbow          |       | -1 to 1        |
    | 4, 5  | velocity of shoulder and elbow      | rad/s | unbounded      |
    | 6-8   | x, y and height of the tip          | m     | -0.21 to 0.21; height 0.01 |

    The targets are not observed: they never move.

    ## Action space: ``Box(-1, 1, (2,), float32)``
    Torque on shoulder and elbow, in units of 200 N m; clipped.

    ## Reward
    ``- min |tip - target| - control_cost |a|^2``, in metres, after the step. Targets are at (0.05,
    0.15) and (0.05, -0.15).

    ## Episodes
    Start at rest with both joints at U(-start_noise, start_noise), the tip near (0.21, 0). Nothing
    terminates an episode; the time limit truncates it.

    ## Source
    Tang and Agrawal 2018 (arXiv:1806.06798), figures 2c and 3a, whose construction is not
    published: it says nine numbers, two fixed targets, a fixed start. The arm is that of
    ``Reacher-v5`` of Gymnasium, the rest is ours. Difference from that task: the constraint solver
    starts each step anew.

    ## Versions
    v0: first version.

    Args:
        control_cost: Weight of the squared action.
        start_noise: Largest start angle either way, 0 to pi rad.
        render_mode: ``"rgb_array"`` or ``None``.

    Raises:
        ValueError: If an argument is outside its range.
    """

    def __init__(
        self,
        control_cost: float = CONTROL_COST,
        start_noise: float = START_NOISE,
        *,
        render_mode: str | None = None,
    ) -> None:
        super().__init__(BimodalReacherWorld(1, control_cost, start_noise), render_mode=render_mode)


class BimodalReacherVectorEnv(ArrayVectorEnv):
    """Native vector form of :class:`BimodalReacherEnv`; arguments as there.

    Args:
        num_envs: Number of arms n.
        control_cost: As of the single environment.
        start_noise: As of the single environment.
        max_episode_steps: Horizon.
        render_mode: ``"rgb_array"`` or ``None``.
    """

    def __init__(
        self,
        num_envs: int = 1,
        *,
        control_cost: float = CONTROL_COST,
        start_noise: float = START_NOISE,
        max_episode_steps: int | None = HORIZON,
        render_mode: str | None = None,
    ) -> None:
        world = BimodalReacherWorld(num_envs, control_cost, start_noise)
        super().__init__(world, max_episode_steps=max_episode_steps, render_mode=render_mode)
