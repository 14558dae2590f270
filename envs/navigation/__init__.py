"""The m-hall navigation world of State Marginal Matching (Lee et al. 2019, arXiv:1906.05274)."""

from expedition.envs.navigation.env import NavigationEnv
from expedition.envs.navigation.geometry import HallGeometry
from expedition.envs.navigation.tracker import HallTracker
from expedition.envs.navigation.vector_env import NavigationVectorEnv

__all__ = ["HallGeometry", "HallTracker", "NavigationEnv", "NavigationVectorEnv"]
