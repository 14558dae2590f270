"""A one-step task whose best stochastic policy is a correlated Gaussian (arXiv:1806.06798)."""

from expedition.envs.bandit.env import GaussianBanditEnv, GaussianBanditVectorEnv

__all__ = ["GaussianBanditEnv", "GaussianBanditVectorEnv"]
