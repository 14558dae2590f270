"""Valve turning with a three-fingered claw, as in State Marginal Matching (arXiv:1906.05274)."""

from expedition.envs.dclaw.env import DClawEnv
from expedition.envs.dclaw.tracker import ValveTracker

__all__ = ["DClawEnv", "ValveTracker"]
