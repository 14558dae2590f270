"""Soft actor-critic on an intrinsic reward, as an RLlib algorithm."""

from expedition.algorithms.core.algorithm import OffPolicy
from expedition.algorithms.intrinsic.config import IntrinsicConfig


class Intrinsic(OffPolicy):
    """Every method of this folder: SAC whose reward has a bonus; the config names the bonus."""

    @classmethod
    def get_default_config(cls) -> IntrinsicConfig:
        """Settings common to all; build one of the named configs to get a bonus."""
        return IntrinsicConfig()
