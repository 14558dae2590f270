"""Imitation of trajectories, by likelihood and by a discriminator."""

from expedition.algorithms.implicit_policy.imitation.algorithm import Clone, GANImitation
from expedition.algorithms.implicit_policy.imitation.config import CloneConfig, GANImitationConfig

__all__ = ["Clone", "CloneConfig", "GANImitation", "GANImitationConfig"]
