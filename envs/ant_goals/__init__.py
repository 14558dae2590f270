"""The ant that seeks goals on a ring, of Gupta et al. 2018 (arXiv:1802.07245)."""

from expedition.envs.ant_goals.env import AntGoalsEnv, AntGoalsVectorEnv

__all__ = ["AntGoalsEnv", "AntGoalsVectorEnv"]
