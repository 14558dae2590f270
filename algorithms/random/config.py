"""Settings of the random policy."""

from collections.abc import Mapping
from typing import ClassVar

from ray.rllib.core.rl_module.rl_module import RLModuleSpec

from expedition.algorithms.core.config import OffPolicyConfig
from expedition.algorithms.core.hyperparameters import Hyperparameter


class RandomConfig(OffPolicyConfig):
    """Uniformly random actions. Sampling settings are the core's; nothing is learned."""

    HYPERPARAMETERS: ClassVar[Mapping[str, Hyperparameter]] = {
        "updates_per_step": Hyperparameter(0.0, "there is nothing to update", low=0, high=0),
        "replay_capacity": Hyperparameter(1, "nothing is replayed", low=1),
    }

    def __init__(self, algo_class: type | None = None) -> None:
        from expedition.algorithms.random.algorithm import Random

        super().__init__(algo_class or Random)

    def get_default_rl_module_spec(self) -> RLModuleSpec:
        """The module of this method."""
        from expedition.algorithms.random.module import RandomModule

        return RLModuleSpec(module_class=RandomModule)

    def get_default_learner_class(self) -> type:
        """The learner of this method."""
        from expedition.algorithms.random.module import NoLearner

        return NoLearner
