"""Proximal policy optimisation on RLlib's PPO, and the advantage actor-critic on the same code."""

from expedition.algorithms.ppo.algorithm import A2C, PPO
from expedition.algorithms.ppo.config import A2CConfig, PPOConfig

__all__ = ["A2C", "PPO", "A2CConfig", "PPOConfig"]
