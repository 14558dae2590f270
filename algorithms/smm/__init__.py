"""State marginal matching (SMM) and its mixture form (SM4) on soft actor-critic."""

from expedition.algorithms.smm.algorithm import SMM
from expedition.algorithms.smm.config import SMMConfig

__all__ = ["SMM", "SMMConfig"]
