"""Deep deterministic policy gradient (DDPG) as an RLlib algorithm."""

from collections.abc import Mapping
from typing import ClassVar

from ray.rllib.core.rl_module.rl_module import RLModuleSpec

from expedition.algorithms.core.config import OffPolicyConfig
from expedition.algorithms.core.hyperparameters import Hyperparameter
from expedition.algorithms.implicit_policy.q_pictures import Q_PICTURES, PicturingQ

_BASELINES = "OpenAI baselines, June 2018"


class DDPGConfig(OffPolicyConfig):
    """DDPG (Lillicrap et al. 2016, arXiv:1509.02971) in the form of OpenAI baselines, June 2018.

    Example:
        >>> from expedition.algorithms.implicit_policy.ddpg import DDPGConfig
        >>> config = DDPGConfig().environment("HalfCheetah-v5").training(policy_lr=1e-3)
        >>> algo = config.debugging(seed=0).build_algo()  # doctest: +SKIP
    """

    HYPERPARAMETERS: ClassVar[Mapping[str, Hyperparameter]] = {
        "hidden_sizes": Hyperparameter((64, 64), "hidden widths of the actor", _BASELINES),
        "critic_hidden_sizes": Hyperparameter(
            (64, 64), "two widths of the critic; the action enters the second layer", _BASELINES
        ),
        "policy_lr": Hyperparameter(1e-4, "Adam step of the actor", _BASELINES, low=0),
        "q_lr": Hyperparameter(1e-3, "Adam step of the critic", _BASELINES, low=0),
        "critic_l2": Hyperparameter(
            1e-2, "λ of λ/2 Σ w² over the critic's hidden weights", _BASELINES, low=0
        ),
        "tau": Hyperparameter(0.01, "target smoothing a gradient step", _BASELINES, low=0, high=1),
        "train_batch_size": Hyperparameter(64, "transitions a gradient step", _BASELINES, low=1),
        "updates_per_step": Hyperparameter(
            0.5, "gradient steps an environment step", _BASELINES, low=0
        ),
        "fragment_steps": Hyperparameter(
            100,
            "steps of each environment copy between two rounds of gradient steps",
            _BASELINES,
            low=1,
        ),
        "warmup_steps": Hyperparameter(
            0, "environment steps before the first gradient step", _BASELINES, low=0
        ),
        "time_limit_is_terminal": Hyperparameter(
            True,
            "treat a truncated episode as terminated: no bootstrap at the time limit",
            _BASELINES,
            choices=(True, False),
        ),
        "observation_clip": Hyperparameter(
            5.0,
            "standardise observations by those seen so far and clip there; none: leave them",
            _BASELINES,
            low=0,
            words=(None,),
        ),
        "parameter_noise": Hyperparameter(
            0.2,
            "standard deviation of the parameters at first; 0: no noise",
            _BASELINES,
            low=0,
        ),
        "action_std_target": Hyperparameter(
            0.2, "how far the noise shall move actions, for its adaptation", _BASELINES, low=0
        ),
        "noise_factor": Hyperparameter(
            1.01, "factor by which it adapts; 1: it does not", _BASELINES, low=1
        ),
        "noise_adapt_every": Hyperparameter(
            50, "gradient steps between two adaptations", _BASELINES, low=1
        ),
        **Q_PICTURES,
    }

    def __init__(self, algo_class: type | None = None) -> None:
        super().__init__(algo_class or DDPG)
        self.evaluation_config = {"explore": False}

    def validate(self) -> None:
        """Check the settings; see ``DeclaredConfig.validate``."""
        super().validate()
        if len(self.critic_hidden_sizes) != 2:
            raise ValueError(
                f"critic_hidden_sizes={self.critic_hidden_sizes!r}: must be two widths"
            )

    def get_default_rl_module_spec(self) -> RLModuleSpec:
        """The module of this method."""
        from expedition.algorithms.implicit_policy.ddpg_module import DDPGModule

        return RLModuleSpec(module_class=DDPGModule)

    def get_default_learner_class(self) -> type:
        """The learner of this method."""
        from expedition.algorithms.implicit_policy.ddpg_learner import DDPGLearner

        return DDPGLearner


class DDPG(PicturingQ):
    """Deep deterministic policy gradient; see ``DDPGLearner``."""

    @classmethod
    def get_default_config(cls) -> DDPGConfig:
        """Default settings."""
        return DDPGConfig()
