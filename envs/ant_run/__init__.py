"""The ant that is paid for its speed, in the open and in a hallway (arXiv:1806.06798)."""

from expedition.envs.ant_run.env import AntHallwayEnv, AntSpeedEnv

__all__ = ["AntHallwayEnv", "AntSpeedEnv"]
