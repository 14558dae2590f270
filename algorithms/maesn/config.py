"""Settings of MAESN and of its baseline that learns latents without adapting them."""

from collections.abc import Mapping
from typing import ClassVar

from ray.rllib.core.rl_module.rl_module import RLModuleSpec

from expedition.algorithms.core.hyperparameters import Hyperparameter
from expedition.algorithms.core.meta_config import MetaConfig
from expedition.algorithms.core.on_policy_config import TRUST_REGION_SETTINGS


class MAESNConfig(MetaConfig):
    """Meta-learned structured exploration (Gupta et al. 2018, arXiv:1802.07245).

    Example:
        >>> from expedition.algorithms.maesn import MAESNConfig
        >>> config = MAESNConfig().environment("expedition/Ring-v0")
        >>> config = config.training(hidden_sizes=(32, 32), curvature_episodes=0.5)
        >>> algo = config.debugging(seed=0).build_algo()  # doctest: +SKIP
    """

    HYPERPARAMETERS: ClassVar[Mapping[str, Hyperparameter]] = {
        **TRUST_REGION_SETTINGS,
        "latent_dim": Hyperparameter(2, "size of z (d)", "released code", low=1),
        "inner_step": Hyperparameter(
            1.0, "step of the latents' means and log stds, at first", "released code", low=0
        ),
        "step_sizes": Hyperparameter(
            "shared",
            "shared: one step a dimension, of all tasks' means and of all their log stds; "
            "per_parameter: one for every number of every task; fixed: not learned",
            "shared: released code; per_parameter: sec. 4.2",
            choices=("shared", "per_parameter", "fixed"),
        ),
        "adapt_policy": Hyperparameter(
            False,
            "tasks also take a policy-gradient step on the policy, with a learned step size for "
            "every number of it; in a test too",
            "eq. 7; the paper reports no gain",
            choices=(True, False),
        ),
        "policy_step": Hyperparameter(0.05, "those step sizes, at first", "released code", low=0),
        "kl_weight": Hyperparameter(
            0.1, "λ of the KL to the prior", "released code: 0.1; pusher 0.5", low=0
        ),
        "curvature_episodes": Hyperparameter(
            1.0, "share of a task's episodes that curvature products use", low=0.01, high=1
        ),
        "halve_test_steps": Hyperparameter(
            True,
            "after full_test_steps, each adaptation step of a test is half the last: learning ends "
            "after about six; false: it goes on",
            "released code",
            choices=(True, False),
        ),
        "full_test_steps": Hyperparameter(
            2, "steps of a test before they are halved", "released code", low=1
        ),
        "test_inner_step": Hyperparameter(
            None, "step of a test; none: the learned ones", low=0, words=(None,)
        ),
    }

    def __init__(self, algo_class: type | None = None) -> None:
        from expedition.algorithms.maesn.algorithm import MAESN

        super().__init__(algo_class or MAESN)

    @property
    def adapts(self) -> bool:
        """Whether tasks adapt in training at all."""
        return self.step_sizes != "fixed" or self.inner_step > 0

    def validate(self) -> None:
        """Check the settings; see ``MetaConfig.validate``."""
        super().validate()
        if self.adapt_policy and not self.adapts:
            raise ValueError(
                "adapt_policy=True with inner_step=0 and fixed step sizes: there is no inner step"
            )

    def get_default_rl_module_spec(self) -> RLModuleSpec:
        """The module of this method."""
        from expedition.algorithms.maesn.module import MAESNModule

        return RLModuleSpec(module_class=MAESNModule)

    def get_default_learner_class(self) -> type:
        """The learner of this method."""
        from expedition.algorithms.maesn.learner import MAESNLearner

        return MAESNLearner


class LatentSpaceConfig(MAESNConfig):
    """Latents learned together with the policy (after Hausman et al. 2018), adapted only in a test.

    MAESN with a training step of zero: a task's latents move by the outer gradient alone, and there
    is no batch before adaptation.
    """

    HYPERPARAMETERS: ClassVar[Mapping[str, Hyperparameter]] = {
        "inner_step": Hyperparameter(0.0, "tasks do not adapt in training", low=0, high=0),
        "step_sizes": Hyperparameter("fixed", "there is nothing to learn", choices=("fixed",)),
        "adapt_policy": Hyperparameter(False, "tasks do not adapt in training", choices=(False,)),
        "kl_weight": Hyperparameter(0.01, "λ of the KL to the prior", "released code", low=0),
        "full_test_steps": Hyperparameter(
            3, "steps of a test before they are halved", "released code", low=1
        ),
        "test_inner_step": Hyperparameter(1.0, "step of a test", "released code", low=0),
    }

    def __init__(self, algo_class: type | None = None) -> None:
        from expedition.algorithms.maesn.algorithm import LatentSpace

        super().__init__(algo_class or LatentSpace)
