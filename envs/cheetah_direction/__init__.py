"""The half-cheetah that runs forwards or backwards, of Finn et al. 2017 (arXiv:1703.03400)."""

from expedition.envs.cheetah_direction.env import (
    HalfCheetahDirectionEnv,
    HalfCheetahDirectionVectorEnv,
)

__all__ = ["HalfCheetahDirectionEnv", "HalfCheetahDirectionVectorEnv"]
