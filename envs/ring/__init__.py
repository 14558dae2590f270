"""The ring: goals on a circle that white action noise never reaches."""

from expedition.envs.ring.env import RingEnv, RingVectorEnv

__all__ = ["RingEnv", "RingVectorEnv"]
