"""Soft actor-critic on intrinsic rewards, as RLlib algorithms.

RLlib asks an algorithm's class for its config, so that each bonus has a class, and nothing in it.
"""

from expedition.algorithms.core.algorithm import OffPolicy
from expedition.algorithms.intrinsic import config


class Intrinsic(OffPolicy):
    """Every method of this folder: SAC whose reward has a bonus; the config names the bonus."""

    @classmethod
    def get_default_config(cls) -> config.IntrinsicConfig:
        """Settings common to all; build one of the named configs to get a bonus."""
        return config.IntrinsicConfig()


class Count(Intrinsic):
    """Visit counts of a grid, as a bonus; see ``CountConfig``."""

    @classmethod
    def get_default_config(cls) -> config.CountConfig:
        """Default settings."""
        return config.CountConfig()


class Pseudocount(Intrinsic):
    """Pseudo-counts of a density model, as a bonus; see ``PseudocountConfig``."""

    @classmethod
    def get_default_config(cls) -> config.PseudocountConfig:
        """Default settings."""
        return config.PseudocountConfig()


class ICM(Intrinsic):
    """The intrinsic curiosity module, as a bonus; see ``ICMConfig``."""

    @classmethod
    def get_default_config(cls) -> config.ICMConfig:
        """Default settings."""
        return config.ICMConfig()


class RND(Intrinsic):
    """Random network distillation, as a bonus; see ``RNDConfig``."""

    @classmethod
    def get_default_config(cls) -> config.RNDConfig:
        """Default settings."""
        return config.RNDConfig()


class Disagreement(Intrinsic):
    """Disagreement of an ensemble of dynamics models, as a bonus; see ``DisagreementConfig``."""

    @classmethod
    def get_default_config(cls) -> config.DisagreementConfig:
        """Default settings."""
        return config.DisagreementConfig()


class DIAYN(Intrinsic):
    """Diversity is all you need, as a bonus; see ``DIAYNConfig``."""

    @classmethod
    def get_default_config(cls) -> config.DIAYNConfig:
        """Default settings."""
        return config.DIAYNConfig()
