"""An arm with two equally good targets, of Tang and Agrawal 2018 (arXiv:1806.06798)."""

from expedition.envs.reacher.env import BimodalReacherEnv, BimodalReacherVectorEnv

__all__ = ["BimodalReacherEnv", "BimodalReacherVectorEnv"]
