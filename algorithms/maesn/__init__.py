"""Model-agnostic exploration with structured noise, and latents learned without adaptation."""

from expedition.algorithms.maesn.algorithm import MAESN, LatentSpace
from expedition.algorithms.maesn.config import LatentSpaceConfig, MAESNConfig

__all__ = ["MAESN", "LatentSpace", "LatentSpaceConfig", "MAESNConfig"]
