"""The block pusher of Gupta et al. 2018 (arXiv:1802.07245)."""

from expedition.envs.pusher.env import BlockPusherEnv, BlockPusherVectorEnv
from expedition.envs.pusher.tracker import BlockTracker

__all__ = ["BlockPusherEnv", "BlockPusherVectorEnv", "BlockTracker"]
