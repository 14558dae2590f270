"""A walk on the line whose expert commits to either end, for imitation (arXiv:1806.06798)."""

from expedition.envs.imitation.env import Imitation1DEnv, Imitation1DVectorEnv
from expedition.envs.imitation.expert import Demonstrations, expert

__all__ = ["Demonstrations", "Imitation1DEnv", "Imitation1DVectorEnv", "expert"]
