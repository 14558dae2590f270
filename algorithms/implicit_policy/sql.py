"""Soft Q-learning (SQL) as an RLlib algorithm."""

from collections.abc import Mapping
from typing import ClassVar

from ray.rllib.core.rl_module.rl_module import RLModuleSpec

from expedition.algorithms.core.config import OffPolicyConfig
from expedition.algorithms.core.hyperparameters import Hyperparameter
from expedition.algorithms.implicit_policy.q_pictures import Q_PICTURES, PicturingQ

_RELEASED = "released code"


class SQLConfig(OffPolicyConfig):
    """Soft Q-learning with an amortised sampler (Haarnoja et al. 2017, arXiv:1702.08165).

    The temperature is 1: ``reward_scale`` sets how much the reward counts beside entropy. The
    released code has 30 for swimmer, hopper and half-cheetah, 10 for walker, 300 for ant, 100 for
    humanoid, 0.1 for multi-goal.

    Example:
        >>> from expedition.algorithms.implicit_policy.sql import SQLConfig
        >>> config = SQLConfig().environment("HalfCheetah-v5").training(reward_scale=30.0)
        >>> algo = config.debugging(seed=0).build_algo()  # doctest: +SKIP
    """

    HYPERPARAMETERS: ClassVar[Mapping[str, Hyperparameter]] = {
        "hidden_sizes": Hyperparameter(
            (128, 128), "hidden widths of sampler and Q-network", _RELEASED
        ),
        "policy_lr": Hyperparameter(3e-4, "Adam step of the sampler", _RELEASED, low=0),
        "q_lr": Hyperparameter(3e-4, "Adam step of the Q-network", _RELEASED, low=0),
        "train_batch_size": Hyperparameter(128, "transitions a gradient step", _RELEASED, low=1),
        "target_every": Hyperparameter(
            1000, "gradient steps between two copies of Q to its target", _RELEASED, low=1
        ),
        "value_actions": Hyperparameter(
            16, "uniform actions in the estimate of a state's value", _RELEASED, low=1
        ),
        "particles": Hyperparameter(
            16, "actions at a state for the sampler; half of them are fixed", _RELEASED, low=4
        ),
        "warmup_actions": Hyperparameter(
            "policy", "who acts during warm-up", _RELEASED, choices=("uniform", "policy")
        ),
        **Q_PICTURES,
    }

    def __init__(self, algo_class: type | None = None) -> None:
        super().__init__(algo_class or SQL)

    def get_default_rl_module_spec(self) -> RLModuleSpec:
        """The module of this method."""
        from expedition.algorithms.implicit_policy.sql_module import SQLModule

        return RLModuleSpec(module_class=SQLModule)

    def get_default_learner_class(self) -> type:
        """The learner of this method."""
        from expedition.algorithms.implicit_policy.sql_learner import SQLLearner

        return SQLLearner


class SQL(PicturingQ):
    """Soft Q-learning; see ``SQLLearner``."""

    @classmethod
    def get_default_config(cls) -> SQLConfig:
        """Default settings."""
        return SQLConfig()
