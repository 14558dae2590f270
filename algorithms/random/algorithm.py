"""The random policy as an RLlib algorithm."""

from expedition.algorithms.core.algorithm import OffPolicy
from expedition.algorithms.random.config import RandomConfig


class Random(OffPolicy):
    """Acts uniformly at random through the same runners, trackers and checkpoints as the rest."""

    @classmethod
    def get_default_config(cls) -> RandomConfig:
        """Default settings."""
        return RandomConfig()
