"""Trust-region policy optimisation and REINFORCE, on one environment or on many tasks at once."""

from expedition.algorithms.trpo.algorithm import TRPO, Reinforce
from expedition.algorithms.trpo.config import ReinforceConfig, TRPOConfig

__all__ = ["TRPO", "Reinforce", "ReinforceConfig", "TRPOConfig"]
