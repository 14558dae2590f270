"""Any environment, observed through noise (arXiv:1806.06798)."""

from expedition.envs.noisy.env import NoisyObservationsEnv

__all__ = ["NoisyObservationsEnv"]
