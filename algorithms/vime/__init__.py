"""Variational information maximising exploration."""

from expedition.algorithms.vime.algorithm import VIME
from expedition.algorithms.vime.config import VIMEConfig

__all__ = ["VIME", "VIMEConfig"]
