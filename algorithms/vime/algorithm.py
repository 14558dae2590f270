"""VIME as an RLlib algorithm."""

from expedition.algorithms.trpo.algorithm import PolicyGradient
from expedition.algorithms.vime.config import VIMEConfig


class VIME(PolicyGradient):
    """TRPO that is also rewarded for what transitions teach a model of the dynamics."""

    config: VIMEConfig

    @classmethod
    def get_default_config(cls) -> VIMEConfig:
        """Default settings."""
        return VIMEConfig()
