"""The non-parametric blackbox policy (NBP) as an RLlib algorithm."""

from collections.abc import Mapping
from typing import ClassVar

from ray.rllib.core.rl_module.rl_module import RLModuleSpec

from expedition.algorithms.core.config import OffPolicyConfig
from expedition.algorithms.core.hyperparameters import Hyperparameter
from expedition.algorithms.implicit_policy.q_pictures import Q_PICTURES, PicturingQ


class NBPConfig(OffPolicyConfig):
    """NBP, off-policy (Tang & Agrawal 2018, arXiv:1806.06798, sec. 4.2 and algorithm 1).

    Example:
        >>> from expedition.algorithms.implicit_policy.nbp import NBPConfig
        >>> config = NBPConfig().environment("expedition/MultiGoal-v0").training(entropy_coeff=1.0)
        >>> algo = config.debugging(seed=0).build_algo()  # doctest: +SKIP
    """

    HYPERPARAMETERS: ClassVar[Mapping[str, Hyperparameter]] = {
        "hidden_sizes": Hyperparameter((64, 64), "hidden widths of the policy", "app. C.2"),
        "critic_hidden_sizes": Hyperparameter(
            (64, 64), "hidden widths of Q-network and classifier"
        ),
        "rho": Hyperparameter(
            -4.0,
            "every rho at first; parameters have the standard deviation softplus(rho)",
            "app. C.2",
        ),
        "dropout": Hyperparameter(
            0.5,
            "probability that a feature before the policy's last layer is dropped",
            low=0,
            high=0.99,
        ),
        "dropout_rescale": Hyperparameter(
            False,
            "divide kept features by the probability of keeping",
            "sec. 4.2",
            choices=(True, False),
        ),
        "latent_dim": Hyperparameter(
            0, "standard normal numbers appended to the policy's input", low=0
        ),
        "entropy_coeff": Hyperparameter(
            0.0, "β, weight of the entropy in the policy's loss", "fig. 7", low=0
        ),
        "positives": Hyperparameter(
            "fresh",
            "actions of the policy that the classifier sees: fresh draws, or replayed ones",
            "eq. 7; algorithm 1",
            choices=("fresh", "replay"),
        ),
        "classifier_steps": Hyperparameter(
            1, "steps of the classifier a gradient step", "algorithm 1", low=1
        ),
        "logit_bound": Hyperparameter(
            None,
            "largest logit whose gradient the policy follows; none: any",
            low=0,
            words=(None,),
        ),
        "target_every": Hyperparameter(
            1000, "τ, gradient steps between two copies of both networks to their targets", low=1
        ),
        "observation_scale": Hyperparameter(
            1.0, "what observations are divided by, for every network", low=1e-8
        ),
        "train_batch_size": Hyperparameter(64, "N, transitions a gradient step", low=1),
        "policy_lr": Hyperparameter(3e-4, "Adam step of the policy", "app. C.2", low=0),
        "q_lr": Hyperparameter(1e-3, "Adam step of the Q-network", low=0),
        "classifier_lr": Hyperparameter(1e-3, "Adam step of the classifier", low=0),
        **Q_PICTURES,
    }

    def __init__(self, algo_class: type | None = None) -> None:
        super().__init__(algo_class or NBP)

    def get_default_rl_module_spec(self) -> RLModuleSpec:
        """The module of this method."""
        from expedition.algorithms.implicit_policy.nbp_module import NBPModule

        return RLModuleSpec(module_class=NBPModule)

    def get_default_learner_class(self) -> type:
        """The learner of this method."""
        from expedition.algorithms.implicit_policy.nbp_learner import NBPLearner

        return NBPLearner


class NBP(PicturingQ):
    """Algorithm 1 of the paper; everything is in the off-policy core and ``NBPLearner``."""

    @classmethod
    def get_default_config(cls) -> NBPConfig:
        """Default settings."""
        return NBPConfig()
