"""Soft actor-critic on the off-policy core: the base of every off-policy method here."""

from expedition.algorithms.sac.algorithm import SAC
from expedition.algorithms.sac.config import SACConfig

__all__ = ["SAC", "SACConfig"]
