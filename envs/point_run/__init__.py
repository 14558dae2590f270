"""A point that is paid for its speed: a quick stand-in for the running ants."""

from expedition.envs.point_run.env import PointRunEnv, PointRunVectorEnv

__all__ = ["PointRunEnv", "PointRunVectorEnv"]
