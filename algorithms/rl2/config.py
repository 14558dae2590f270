"""Settings of RL²."""

from collections.abc import Mapping
from typing import ClassVar

from ray.rllib.core.rl_module.rl_module import RLModuleSpec

from expedition.algorithms.core.hyperparameters import Hyperparameter
from expedition.algorithms.core.meta_config import MetaConfig
from expedition.algorithms.core.on_policy_config import TRUST_REGION_SETTINGS


class RL2Config(MetaConfig):
    """RL² (Duan et al. 2016, arXiv:1611.02779): a GRU learns to learn within a trial, by TRPO.

    A trial is several episodes of one task; rewards are discounted through the whole trial. An
    evaluation reports the return of a trial's episodes as ``adapt/return_k``, k from 0 to
    ``test_steps``.

    Example:
        >>> from expedition.algorithms.rl2 import RL2Config
        >>> config = RL2Config().environment("expedition/PointGoals-v0")
        >>> algo = config.debugging(seed=0).build_algo()  # doctest: +SKIP
    """

    HYPERPARAMETERS: ClassVar[Mapping[str, Hyperparameter]] = {
        **TRUST_REGION_SETTINGS,
        "hidden_size": Hyperparameter(64, "units of the GRU", "garage; ProMP", low=1),
        "episodes_per_task": Hyperparameter(
            4, "episodes of a trial (K)", "garage: 4; ProMP: 2", low=1
        ),
        "trials_per_task": Hyperparameter(2, "trials of each task of an update", low=1),
        "test_steps": Hyperparameter(3, "episodes of a test's trial after the first", low=0),
        "test_episodes": Hyperparameter(20, "trials of each task of a test", low=1),
        "curvature_trials": Hyperparameter(
            1.0, "share of the trials that curvature products use", low=0.01, high=1
        ),
    }

    def __init__(self, algo_class: type | None = None) -> None:
        from expedition.algorithms.rl2.algorithm import RL2

        super().__init__(algo_class or RL2)

    @classmethod
    def hyperparameters(cls) -> dict[str, Hyperparameter]:
        """Those of every on-policy method without the perceptron's: the policy is a GRU."""
        declared = super().hyperparameters()
        return {k: v for k, v in declared.items() if k not in ("hidden_sizes", "activation")}

    def get_default_rl_module_spec(self) -> RLModuleSpec:
        """The module of this method."""
        from expedition.algorithms.rl2.module import RL2Module

        return RLModuleSpec(module_class=RL2Module)

    def get_default_learner_class(self) -> type:
        """The learner of this method."""
        from expedition.algorithms.rl2.learner import RL2Learner

        return RL2Learner
