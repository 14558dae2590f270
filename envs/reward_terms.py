"""Reward terms: environments whose reward is a sum of several say what each step paid for.

Such an environment names its terms in ``reward_terms: tuple[str, ...]`` on the unwrapped
environment (and on its native vector form) and puts ``info["reward_terms"] = {name: float}`` into
every step, the weighted terms of that step's reward.
"""

import gymnasium as gym
from gymnasium.vector import AsyncVectorEnv, SyncVectorEnv, VectorEnv

INFO_KEY = "reward_terms"


def reward_terms(env: gym.Env | VectorEnv) -> tuple[str, ...]:
    """Name the reward terms that an environment reports.

    Args:
        env: A single environment, a native vector environment, or a ``SyncVectorEnv`` or
            ``AsyncVectorEnv``; wrapped or not.

    Returns:
        The names; empty if the environment declares none.
    """
    base = env.unwrapped
    if isinstance(base, SyncVectorEnv):
        base = base.envs[0].unwrapped
    if isinstance(base, AsyncVectorEnv):
        # Asked for by name: a missing attribute would end the worker processes.
        if not base.call("has_wrapper_attr", "reward_terms")[0]:
            return ()
        return tuple(base.get_attr("reward_terms")[0])
    return tuple(getattr(base, "reward_terms", ()))
