"""Settings of proximal policy optimisation and of the advantage actor-critic."""

from collections.abc import Mapping
from typing import Any, ClassVar, Self

from ray.rllib.algorithms.ppo import PPOConfig as RLlibPPOConfig
from ray.rllib.core.rl_module.rl_module import RLModuleSpec

from expedition.algorithms.core.config import TORCH_THREADS, DeclaredConfig
from expedition.algorithms.core.hyperparameters import Hyperparameter
from expedition.algorithms.ppo.env_runner import ChunkEnvRunner

PRESETS: Mapping[str, Mapping[str, Any]] = {
    # OpenAI baselines @ 36ee5d1 (June 2018), MuJoCo settings. ppo1 lets step size and clip range
    # fall to 0 over a run, whose length decay_steps has to name; in ppo2 both are constant.
    "ppo1": {"time_limit_is_terminal": True, "decay_clip": True},
    "ppo2": {
        "time_limit_is_terminal": True,
        "standardise_advantages": "minibatch",
        "vf_loss_coeff": 0.25,  # there 0.5 of half the squared error
        "grad_clip": 0.5,
    },
}


class PPOConfig(DeclaredConfig, RLlibPPOConfig):
    """Proximal policy optimisation (Schulman et al. 2017, arXiv:1707.06347) on RLlib's PPO.

    The defaults are those of OpenAI's ppo1, except that a time limit is not taken for an end.

    Example:
        >>> from expedition.algorithms.ppo import PPOConfig
        >>> config = PPOConfig().environment("Hopper-v5").training(preset="ppo2", lr=1e-4)
        >>> algo = config.debugging(seed=0).build_algo()  # doctest: +SKIP
    """

    HYPERPARAMETERS: ClassVar[Mapping[str, Hyperparameter]] = {
        "preset": Hyperparameter(
            None,
            "settings of a baselines implementation, which other settings then change",
            choices=(None, "ppo1", "ppo2"),
        ),
        "gamma": Hyperparameter(0.99, "discount", "baselines", low=0, high=1),
        "lambda_": Hyperparameter(0.95, "λ of the advantages", "baselines", low=0, high=1),
        "lr": Hyperparameter(3e-4, "Adam step, or RLlib's schedule [[env steps, value], ...]"),
        "adam_epsilon": Hyperparameter(1e-5, "ε of Adam", "baselines", low=0),
        "decay_steps": Hyperparameter(
            None,
            "environment steps over which the step size falls to 0, linearly",
            low=1,
            words=(None,),
        ),
        "decay_clip": Hyperparameter(
            False,
            "whether clip_param falls over decay_steps too",
            "ppo1: yes",
            choices=(True, False),
        ),
        "train_batch_size_per_learner": Hyperparameter(
            2048, "environment steps an iteration, over all copies", "baselines", low=1
        ),
        "minibatch_size": Hyperparameter(64, "steps a gradient step", "baselines", low=1),
        "num_epochs": Hyperparameter(10, "passes over a batch", "baselines", low=1),
        "clip_param": Hyperparameter(0.2, "bound on |ratio - 1|", "baselines", low=0),
        "vf_loss_coeff": Hyperparameter(1.0, "weight of the squared error of values", low=0),
        "vf_clip_param": Hyperparameter(
            float("inf"), "bound on a squared error, in RLlib's manner; baselines: none", low=0
        ),
        "entropy_coeff": Hyperparameter(
            0.0, "β, in units of (standardised) advantage, or RLlib's schedule"
        ),
        "entropy_samples": Hyperparameter(
            10, "draws a state for an entropy without closed form", "released NFP code", low=1
        ),
        "use_kl_loss": Hyperparameter(
            False, "penalise the sample KL, in RLlib's manner", choices=(True, False)
        ),
        "grad_clip": Hyperparameter(
            None, "largest norm of a gradient", "ppo1: none", low=0, words=(None,)
        ),
        "standardise_advantages": Hyperparameter(
            "batch",
            "over which steps; no: advantages stay in the reward's unit, as a temperature needs",
            "ppo1: batch, ppo2: minibatch",
            choices=("batch", "minibatch", "no"),
        ),
        "time_limit_is_terminal": Hyperparameter(
            False,
            "treat a truncated episode as terminated: no bootstrap at the time limit",
            "baselines: yes",
            choices=(True, False),
        ),
        "observation_clip": Hyperparameter(
            5.0,
            "standardise observations by their past and clip them to ± this; none: leave them",
            "baselines",
            low=0,
            words=(None,),
        ),
        "action_bounds": Hyperparameter(
            "clip",
            "what the environment gets of an action outside its bounds: the nearest inside (clip), "
            "the action as it is (raw); squash: actions are tanh of what the policy draws",
            "baselines: raw",
            choices=("clip", "raw", "squash"),
        ),
        "init_std": Hyperparameter(1.0, "σ₀, standard deviation at first", low=1e-6),
        "hidden_sizes": Hyperparameter((64, 64), "hidden widths of the policy", "baselines"),
        "activation": Hyperparameter(
            "tanh", "their non-linearity", "baselines", choices=("relu", "tanh")
        ),
        "layer_norm": Hyperparameter(False, "normalise its layers", choices=(True, False)),
        "output_scale": Hyperparameter(
            3e-3, "its last layer starts uniform in ± this", "released NFP code", low=0
        ),
        "value_hidden_sizes": Hyperparameter((64, 64), "hidden widths of the values", "app. C"),
        "value_activation": Hyperparameter(
            "relu", "their non-linearity", "app. C", choices=("relu", "tanh")
        ),
        "torch_threads": TORCH_THREADS,
    }

    def __init__(self, algo_class: type | None = None) -> None:
        from expedition.algorithms.ppo.algorithm import PPO

        super().__init__(algo_class or PPO)
        self.env_runner_cls = ChunkEnvRunner

    def training(self, **settings: Any) -> Self:
        """Set hyperparameters, those of a ``preset`` first; see ``DeclaredConfig.training``."""
        preset = PRESETS.get(settings.get("preset") or "", {})
        return super().training(**{**preset, **settings})

    def validate(self) -> None:
        """Check the settings; see ``DeclaredConfig.validate``."""
        super().validate()
        if self.decay_clip and self.decay_steps is None:
            raise ValueError(
                "decay_clip=True, decay_steps=None: nothing falls without a length; set "
                "decay_steps to the environment steps of the run (preset ppo1 needs it)"
            )
        if self.decay_steps is not None and not isinstance(self.lr, int | float):
            raise ValueError(
                f"lr={self.lr}, decay_steps={self.decay_steps}: the step size has a schedule "
                "already; give one number as lr, or leave decay_steps out"
            )
        if self.num_learners > 1:
            raise ValueError(
                f"num_learners={self.num_learners}: the observation filter has one owner; use 0 "
                "(in the trial's process) or 1 (an actor of its own)"
            )

    @property
    def env_copies(self) -> int:
        """Environment copies over all runners."""
        return self.num_envs_per_env_runner * max(1, self.num_env_runners)

    def get_default_rl_module_spec(self) -> RLModuleSpec:
        """The module of this method."""
        from expedition.algorithms.ppo.module import PPOModule

        return RLModuleSpec(module_class=PPOModule)

    def get_default_learner_class(self) -> type:
        """The learner of this method."""
        from expedition.algorithms.ppo.learner import PPOLearner

        return PPOLearner


class A2CConfig(PPOConfig):
    """Advantage actor-critic: one gradient step of mean(A log π) a batch, by RMSprop.

    The synchronous form of Mnih et al. 2016, arXiv:1602.01783. Step size, discount, weights and
    norm are those of OpenAI baselines' a2c, where the step size falls to 0 over a run: set
    ``decay_steps`` to its length for that. Its batch of 5 steps of 16 copies is for games, and for
    locomotion nobody published one.
    """

    HYPERPARAMETERS: ClassVar[Mapping[str, Hyperparameter]] = {
        "lambda_": Hyperparameter(1.0, "λ of the advantages: n-step returns", low=0, high=1),
        "lr": Hyperparameter(7e-4, "RMSprop step, or RLlib's schedule", "baselines"),
        "train_batch_size_per_learner": Hyperparameter(
            80, "environment steps a gradient step, over all copies", "baselines: 5 of 16", low=1
        ),
        "minibatch_size": Hyperparameter(
            None, "not used: a batch is one gradient step", choices=(None,)
        ),
        "num_epochs": Hyperparameter(1, "not used: a batch is one gradient step", choices=(1,)),
        "vf_loss_coeff": Hyperparameter(0.5, "weight of the squared error of values", low=0),
        "grad_clip": Hyperparameter(
            0.5, "largest norm of a gradient", "baselines", low=0, words=(None,)
        ),
        "standardise_advantages": Hyperparameter(
            "no", "over which steps", "baselines: no", choices=("batch", "no")
        ),
        "batches_per_iteration": Hyperparameter(
            25, "batches, and gradient steps, between two reports", low=1
        ),
    }

    def __init__(self, algo_class: type | None = None) -> None:
        from expedition.algorithms.ppo.algorithm import A2C

        super().__init__(algo_class or A2C)
        self.num_envs_per_env_runner = 16

    def get_default_learner_class(self) -> type:
        """The learner of this method."""
        from expedition.algorithms.ppo.learner import A2CLearner

        return A2CLearner
