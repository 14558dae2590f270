"""A swimmer that may go either way, for imitation (arXiv:1806.06798)."""

from expedition.envs.swimmer.env import StochasticSwimmerEnv
from expedition.envs.swimmer.expert import gait
from expedition.envs.swimmer.tracker import ProgressTracker

__all__ = ["ProgressTracker", "StochasticSwimmerEnv", "gait"]
