"""Intrinsic rewards, and soft actor-critic that learns from each of them."""

from expedition.algorithms.intrinsic.algorithm import Intrinsic
from expedition.algorithms.intrinsic.config import (
    CountConfig,
    DIAYNConfig,
    DisagreementConfig,
    ICMConfig,
    IntrinsicConfig,
    PseudocountConfig,
    RNDConfig,
)

__all__ = [
    "CountConfig",
    "DIAYNConfig",
    "DisagreementConfig",
    "ICMConfig",
    "Intrinsic",
    "IntrinsicConfig",
    "PseudocountConfig",
    "RNDConfig",
]
