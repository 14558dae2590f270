"""What a registered environment says about itself: coverage metrics and arrays, reward terms."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import gymnasium as gym

from expedition.envs.coverage import tracker_for
from expedition.envs.reward_terms import reward_terms


@dataclass(frozen=True)
class Declared:
    """Names that an environment declares.

    Attributes:
        metrics: Coverage metrics, sorted.
        arrays: Coverage arrays and their numbers of dimensions.
        reward_terms: Terms of the reward.
    """

    metrics: tuple[str, ...] = ()
    arrays: Mapping[str, int] = field(default_factory=dict)
    reward_terms: tuple[str, ...] = ()


def declared(env_id: str, env_config: Mapping[str, Any] | None = None) -> Declared:
    """Make an environment once and list what it declares.

    Args:
        env_id: Gymnasium id.
        env_config: Keyword arguments of the environment.

    Returns:
        The names; none of metrics and arrays if the environment has no coverage tracker.
    """
    env = gym.make(env_id, **(env_config or {}))
    try:
        tracker = tracker_for(env)
        terms = reward_terms(env)
    finally:
        env.close()
    if tracker is None:
        return Declared(reward_terms=terms)
    arrays = {name: array.ndim for name, array in tracker.arrays().items()}
    return Declared(tuple(sorted(tracker.metrics())), arrays, terms)
