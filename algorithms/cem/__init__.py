"""The cross-entropy method: a Gaussian over the parameters of a deterministic policy."""

from expedition.algorithms.cem.algorithm import CEM
from expedition.algorithms.cem.config import CEMConfig

__all__ = ["CEM", "CEMConfig"]
