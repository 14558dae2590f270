"""The two-dimensional multi-goal environment of soft Q-learning (arXiv:1702.08165)."""

from expedition.envs.multi_goal.env import MultiGoalEnv, MultiGoalVectorEnv

__all__ = ["MultiGoalEnv", "MultiGoalVectorEnv"]
