"""2-D point navigation: the sanity task of gradient-based meta-learning, dense and sparse."""

from expedition.envs.point.env import PointGoalsEnv, PointGoalsVectorEnv

__all__ = ["PointGoalsEnv", "PointGoalsVectorEnv"]
