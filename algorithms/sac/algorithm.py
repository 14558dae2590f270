"""Soft actor-critic as an RLlib algorithm."""

from expedition.algorithms.core.algorithm import OffPolicy
from expedition.algorithms.sac.config import SACConfig


class SAC(OffPolicy):
    """Soft actor-critic; everything is in the off-policy core and ``SACLearner``."""

    @classmethod
    def get_default_config(cls) -> SACConfig:
        """Default settings."""
        return SACConfig()
