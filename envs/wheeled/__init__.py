"""The wheeled robot of Gupta et al. 2018 (arXiv:1802.07245)."""

from expedition.envs.wheeled.env import WheeledEnv, WheeledVectorEnv

__all__ = ["WheeledEnv", "WheeledVectorEnv"]
