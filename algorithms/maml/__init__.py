"""Model-agnostic meta-learning of policies, and its variants."""

from expedition.algorithms.maml.algorithm import MAML
from expedition.algorithms.maml.config import MAMLConfig

__all__ = ["MAML", "MAMLConfig"]
