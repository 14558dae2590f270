"""Settings of MAML and of its variants."""

from collections.abc import Mapping
from typing import ClassVar

from ray.rllib.core.rl_module.rl_module import RLModuleSpec

from expedition.algorithms.core.hyperparameters import Hyperparameter
from expedition.algorithms.core.meta_config import MetaConfig
from expedition.algorithms.core.on_policy_config import TRUST_REGION_SETTINGS


class MAMLConfig(MetaConfig):
    """Model-agnostic meta-learning of a policy (Finn et al. 2017, arXiv:1703.03400) with TRPO.

    The defaults are those of Gupta et al. 2018 (arXiv:1802.07245), whose ablation is a matter of
    settings: plain MAML; with a bias transformation and learned steps, all parameters adapted
    (``bias_transformation=8, adaptive_steps=True``); the same with ``adapted="bias"``.

    Example:
        >>> from expedition.algorithms.maml import MAMLConfig
        >>> config = MAMLConfig().environment("expedition/PointGoals-v0").training(inner_lr=0.5)
        >>> algo = config.debugging(seed=0).build_algo()  # doctest: +SKIP
    """

    HYPERPARAMETERS: ClassVar[Mapping[str, Hyperparameter]] = {
        **TRUST_REGION_SETTINGS,
        "episodes_per_task": Hyperparameter(
            50, "episodes of a task before each step and after the last", "released code", low=2
        ),
        "inner_steps": Hyperparameter(1, "gradient steps of training's adaptation", low=1),
        "inner_lr": Hyperparameter(
            0.1, "their step size; at first, if it is learned", "released code: 0.1; point 0.5"
        ),
        "bias_transformation": Hyperparameter(
            0,
            "size of the learned vector appended to observations; 0: none",
            "released results' names: 8",
            low=0,
        ),
        "adaptive_steps": Hyperparameter(
            False, "meta-learn a step size for every adapted number", choices=(True, False)
        ),
        "adapted": Hyperparameter(
            "all",
            "what the inner step changes: all parameters, or the bias transformation's vector",
            choices=("all", "bias"),
        ),
        "curvature_episodes": Hyperparameter(
            1.0, "share of a task's episodes that curvature products use", low=0.01, high=1
        ),
        "later_step_scale": Hyperparameter(
            0.5,
            "an evaluation's steps after the first, relative to it",
            "released code: 0.5",
            low=0,
        ),
    }

    def __init__(self, algo_class: type | None = None) -> None:
        from expedition.algorithms.maml.algorithm import MAML

        super().__init__(algo_class or MAML)

    def validate(self) -> None:
        """Check the settings; see ``MetaConfig.validate``."""
        super().validate()
        if self.adapted == "bias" and not self.bias_transformation:
            raise ValueError(
                "adapted='bias' with bias_transformation=0: there is nothing to adapt; "
                "give the bias transformation a size"
            )

    def get_default_rl_module_spec(self) -> RLModuleSpec:
        """The module of this method."""
        from expedition.algorithms.maml.module import MAMLModule

        return RLModuleSpec(module_class=MAMLModule)

    def get_default_learner_class(self) -> type:
        """The learner of this method."""
        from expedition.algorithms.maml.learner import MAMLLearner

        return MAMLLearner
