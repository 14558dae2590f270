"""RL²: a recurrent policy that learns within a trial of several episodes."""

from expedition.algorithms.rl2.algorithm import RL2
from expedition.algorithms.rl2.config import RL2Config

__all__ = ["RL2", "RL2Config"]
