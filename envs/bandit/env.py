"""A bandit whose best stochastic policy is a correlated Gaussian, single and vectorised."""

from __future__ import annotations

from expedition.envs.array_env import ArrayEnv
from expedition.envs.array_vector_env import ArrayVectorEnv
from expedition.envs.bandit.world import Bounds, GaussianBanditWorld

CORRELATION = 0.9
TEMPERATURE = 0.1


class GaussianBanditEnv(ArrayEnv):
    """Choose two numbers whose reward ties them to each other.

    With an entropy bonus of temperature T the best policy is the Gaussian N(0, T/2 S), S = [[1, c],
    [c, 1]]. A policy whose action components are independent cannot represent it: at c = 0.9 it is
    0.830 nats away at best. Registered as ``expedition/GaussianBandit-v0``; episodes last one step.

    ## Observation space: ``Box(-inf, inf, (3,), float64)``

    | index | name                                              | range     |
    |-------|---------------------------------------------------|-----------|
    | 0     | 1                                                 | 1         |
    | 1, 2  | the action that ended the episode, 0 at its start | unbounded |

    Whenever a policy acts it sees (1, 0, 0). The action is there for those who look back at the
    episode, such as the coverage tracker.

    ## Action space: ``Box(-1, 1, (2,), float32)``
    Two numbers a. ``bounds="raw"`` takes actions outside the range as they are, ``"clip"`` clips
    them first. Under clipping the reward is flat outside while an unbounded policy's entropy keeps
    growing, so that training may run away.

    ## Reward
    ``-a' inverse(S) a``.

    ## Episodes
    One step, which terminates. Nothing is drawn.

    ## Source
    Tang and Agrawal 2018 (arXiv:1806.06798), section 5, whose S is not given; 0.9 is ours.

    ## Versions
    v0: first version.

    Args:
        correlation: c, between -1 and 1.
        bounds: ``"raw"`` or ``"clip"``.
        temperature: T of the optimal policy that metrics and frames refer to; it changes no reward.
        render_mode: ``"rgb_array"`` or ``None``.

    Raises:
        ValueError: If an argument is outside its range.
    """

    def __init__(
        self,
        correlation: float = CORRELATION,
        *,
        bounds: Bounds = "raw",
        temperature: float = TEMPERATURE,
        render_mode: str | None = None,
    ) -> None:
        world = GaussianBanditWorld(1, correlation, bounds, temperature)
        super().__init__(world, render_mode=render_mode)


class GaussianBanditVectorEnv(ArrayVectorEnv):
    """Native vector form of :class:`GaussianBanditEnv`; arguments as there.

    Args:
        num_envs: Number of bandits n.
        correlation: As of the single environment.
        bounds: As of the single environment.
        temperature: As of the single environment.
        max_episode_steps: Has no effect but to mark last steps as truncated, too.
        render_mode: ``"rgb_array"`` or ``None``.
    """

    def __init__(
        self,
        num_envs: int = 1,
        *,
        correlation: float = CORRELATION,
        bounds: Bounds = "raw",
        temperature: float = TEMPERATURE,
        max_episode_steps: int | None = None,
        render_mode: str | None = None,
    ) -> None:
        world = GaussianBanditWorld(num_envs, correlation, bounds, temperature)
        super().__init__(world, max_episode_steps=max_episode_steps, render_mode=render_mode)
