"""Settings of trust-region policy optimisation and of REINFORCE."""

from collections.abc import Mapping
from typing import ClassVar

from ray.rllib.core.rl_module.rl_module import RLModuleSpec

from expedition.algorithms.core.hyperparameters import Hyperparameter
from expedition.algorithms.core.on_policy_config import TRUST_REGION_SETTINGS, OnPolicyConfig
from expedition.algorithms.implicit_policy.flow import FLOW_SETTINGS


class PolicyGradientConfig(OnPolicyConfig):
    """Sampling settings of the methods that learn from scratch."""

    HYPERPARAMETERS: ClassVar[Mapping[str, Hyperparameter]] = {
        "batch_steps": Hyperparameter(
            10_000,
            "environment steps an update, in rounds of one whole episode of each copy "
            "(num_envs_per_env_runner, 10 by default); never less than one round",
            low=1,
        ),
        "tasks": Hyperparameter(
            0,
            "learn the first so many tasks, each from scratch with batch_steps (whole rounds, too) "
            "of its own, all at once; 0: the environment as it is",
            low=0,
        ),
        "task_split": Hyperparameter("validation", "which tasks", choices=("train", "validation")),
    }

    def __init__(self, algo_class: type | None = None) -> None:
        super().__init__(algo_class)
        self.num_envs_per_env_runner = 10

    def validate(self) -> None:
        """Check the settings; see ``OnPolicyConfig.validate``."""
        super().validate()
        if self.tasks and self.evaluation_interval:
            raise ValueError(
                f"evaluation_interval={self.evaluation_interval}: with tasks > 0 there is a policy "
                "for each, and the training batches measure them; leave it out"
            )

    def get_default_rl_module_spec(self) -> RLModuleSpec:
        """The module of these methods."""
        from expedition.algorithms.trpo.module import TasksModule

        return RLModuleSpec(module_class=TasksModule)


class TRPOConfig(PolicyGradientConfig):
    """Trust-region policy optimisation (Schulman et al. 2015, arXiv:1502.05477).

    Advantages are those of Schulman et al. 2016 with a linear baseline, as in rllab (Duan et al.
    2016, arXiv:1604.06778). The defaults are those of Gupta et al. 2018, app. A.

    Example:
        >>> from expedition.algorithms.trpo import TRPOConfig
        >>> config = TRPOConfig().environment("HalfCheetah-v5").training(gae_lambda=0.97)
        >>> algo = config.debugging(seed=0).build_algo()  # doctest: +SKIP
    """

    HYPERPARAMETERS: ClassVar[Mapping[str, Hyperparameter]] = {
        **TRUST_REGION_SETTINGS,
        "policy": Hyperparameter(
            "gaussian",
            "a Gaussian, or a normalising flow (then cg_damping 0.1, as in its released code)",
            choices=("gaussian", "flow"),
        ),
        **FLOW_SETTINGS,
    }

    def __init__(self, algo_class: type | None = None) -> None:
        from expedition.algorithms.trpo.algorithm import TRPO

        super().__init__(algo_class or TRPO)

    def validate(self) -> None:
        """Check the settings; see ``PolicyGradientConfig.validate``."""
        super().validate()
        if self.policy == "flow" and self.tasks:
            raise ValueError(f"tasks={self.tasks}: a flow learns one environment; leave it at 0")

    def get_default_learner_class(self) -> type:
        """The learner of this method."""
        if self.policy == "flow":
            from expedition.algorithms.trpo.flow import FlowTRPOLearner

            return FlowTRPOLearner
        from expedition.algorithms.trpo.learner import TRPOLearner

        return TRPOLearner

    def get_default_rl_module_spec(self) -> RLModuleSpec:
        """The module of this method."""
        if self.policy == "flow":
            from expedition.algorithms.trpo.flow import FlowModule

            return RLModuleSpec(module_class=FlowModule)
        return super().get_default_rl_module_spec()


class ReinforceConfig(PolicyGradientConfig):
    """REINFORCE with a linear baseline: one gradient step of mean(A log π) a batch.

    The defaults are those of Gupta et al. 2018 (labelled VPG in their code).
    """

    HYPERPARAMETERS: ClassVar[Mapping[str, Hyperparameter]] = {
        "policy_lr": Hyperparameter(0.1, "step size", "released code: 0.1; pusher 1", low=0),
        "optimizer": Hyperparameter(
            "sgd", "plain gradient ascent or Adam", choices=("sgd", "adam")
        ),
    }

    def __init__(self, algo_class: type | None = None) -> None:
        from expedition.algorithms.trpo.algorithm import Reinforce

        super().__init__(algo_class or Reinforce)

    def get_default_learner_class(self) -> type:
        """The learner of this method."""
        from expedition.algorithms.trpo.learner import ReinforceLearner

        return ReinforceLearner
