"""The manipulation tasks of State Marginal Matching (Lee et al. 2019, arXiv:1906.05274).

The environment on the simulated Fetch arm is in ``expedition.envs.manipulation.fetch_env``, which
needs gymnasium-robotics and is imported only when it is made.
"""

from expedition.envs.manipulation.planar_env import ManipulationPlanarEnv
from expedition.envs.manipulation.planar_vector_env import ManipulationPlanarVectorEnv
from expedition.envs.manipulation.tracker import ManipulationTracker

__all__ = ["ManipulationPlanarEnv", "ManipulationPlanarVectorEnv", "ManipulationTracker"]
