"""Uniformly random actions: the reference line of every exploration figure."""

from expedition.algorithms.random.algorithm import Random
from expedition.algorithms.random.config import RandomConfig

__all__ = ["Random", "RandomConfig"]
