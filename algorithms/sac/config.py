"""Settings of soft actor-critic."""

from collections.abc import Mapping
from typing import ClassVar

from ray.rllib.core.rl_module.rl_module import RLModuleSpec

from expedition.algorithms.core.config import OffPolicyConfig
from expedition.algorithms.core.hyperparameters import Hyperparameter


class SACConfig(OffPolicyConfig):
    """Soft actor-critic (Haarnoja et al. 2018a, arXiv:1801.01290, and 2018b, arXiv:1812.05905).

    The defaults are those of the second paper. ``variant="v1"`` is the first paper's form with a
    separate value network, which the exploration papers of 2019 used.

    Example:
        >>> from expedition.algorithms.sac import SACConfig
        >>> config = SACConfig().environment("HalfCheetah-v5").training(policy_lr=1e-3)
        >>> algo = config.debugging(seed=0).build_algo()  # doctest: +SKIP
    """

    HYPERPARAMETERS: ClassVar[Mapping[str, Hyperparameter]] = {
        "variant": Hyperparameter(
            "v2",
            "v2: target Q-networks; v1: a value network with a target",
            "2018b; 2018a",
            choices=("v1", "v2"),
        ),
        "twin_q": Hyperparameter(
            True,
            "two Q-networks, the smaller estimate counts",
            "2018a, sec. 4.2",
            choices=(True, False),
        ),
        "alpha": Hyperparameter(
            "auto", "temperature; auto learns it", "2018b, sec. 5", low=0, words=("auto",)
        ),
        "initial_alpha": Hyperparameter(1.0, "temperature at the start, if learned", low=1e-8),
        "target_entropy": Hyperparameter(
            "auto",
            "nats; auto is minus the action dimension",
            "2018b, app. D",
            words=("auto",),
            low=-1e9,
        ),
        "tau": Hyperparameter(
            0.005, "target smoothing a gradient step", "2018b, app. D", low=0, high=1
        ),
        "hidden_sizes": Hyperparameter(
            (256, 256), "hidden widths of every network", "2018b, app. D"
        ),
        "activation": Hyperparameter(
            "relu", "hidden non-linearity of the critics", "2018b, app. D", choices=("relu", "tanh")
        ),
        "policy_activation": Hyperparameter(
            "relu", "hidden non-linearity of the policy", "2018b, app. D", choices=("relu", "tanh")
        ),
        "policy_lr": Hyperparameter(3e-4, "Adam step of the policy", "2018b, app. D", low=0),
        "q_lr": Hyperparameter(3e-4, "Adam step of the Q-networks", "2018b, app. D", low=0),
        "v_lr": Hyperparameter(3e-4, "Adam step of the value network (v1)", "2018a, app. D", low=0),
        "alpha_lr": Hyperparameter(3e-4, "Adam step of the temperature", "2018b, app. D", low=0),
        "policy_regulariser": Hyperparameter(
            0.0, "weight of mean(mean^2) + mean(log_std^2) in the policy's loss", low=0
        ),
    }

    def __init__(self, algo_class: type | None = None) -> None:
        from expedition.algorithms.sac.algorithm import SAC

        super().__init__(algo_class or SAC)

    def get_default_rl_module_spec(self) -> RLModuleSpec:
        """The module of this method."""
        from expedition.algorithms.sac.module import SACModule

        return RLModuleSpec(module_class=SACModule)

    def get_default_learner_class(self) -> type:
        """The learner of this method."""
        from expedition.algorithms.sac.learner import SACLearner

        return SACLearner
