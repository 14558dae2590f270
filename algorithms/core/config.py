"""Configuration common to the off-policy methods."""

from collections.abc import Mapping
from typing import Any, ClassVar, Self

from ray.rllib.algorithms.algorithm_config import AlgorithmConfig

from expedition.algorithms.core.env_runner import TransitionEnvRunner
from expedition.algorithms.core.hyperparameters import Hyperparameter, check_all, nearest
from expedition.algorithms.core.rllib import hush_new_stack_remark, skip_connector_sync

TORCH_THREADS = Hyperparameter(
    None,
    "threads of the learner; none: as many as the trial has CPUs",
    low=1,
    words=(None,),
)


class DeclaredConfig(AlgorithmConfig):
    """An ``AlgorithmConfig`` whose own settings are declared in ``HYPERPARAMETERS``.

    A subclass adds its declarations; those of its parents are inherited and may be overridden.
    Environments are stepped as arrays, in the trial's process unless remote runners are asked for,
    and the module is told every declared setting.
    """

    HYPERPARAMETERS: ClassVar[Mapping[str, Hyperparameter]] = {}

    algo_class: type | None

    def __init__(self, algo_class: type | None = None) -> None:
        super().__init__(algo_class=algo_class)
        for name, hyperparameter in self.hyperparameters().items():
            setattr(self, name, hyperparameter.default)
        self.env_runner_cls = TransitionEnvRunner
        self.gym_env_vectorize_mode = "vector_entry_point"
        self.num_env_runners = 0
        self.min_time_s_per_iteration = 0
        self.evaluation_duration = 10
        skip_connector_sync(self)

    @classmethod
    def hyperparameters(cls) -> dict[str, Hyperparameter]:
        """Every declared setting of this method, the most specific declaration of each."""
        merged: dict[str, Hyperparameter] = {}
        for base in reversed(cls.__mro__):
            merged.update(base.__dict__.get("HYPERPARAMETERS", {}))
        return merged

    def training(self, **settings: Any) -> Self:
        """Set declared hyperparameters and RLlib's own training settings.

        Raises:
            TypeError: If a name is neither.
        """
        declared = self.hyperparameters()
        own = {name: settings.pop(name) for name in list(settings) if name in declared}
        try:
            super().training(**settings)
        except TypeError as error:
            unknown = next((name for name in settings if f"'{name}'" in str(error)), None)
            if unknown is None:
                raise
            raise TypeError(
                f"{type(self).__name__} has no setting '{unknown}'{nearest(unknown, declared)}"
            ) from None
        for name, value in own.items():
            setattr(self, name, value)
        return self

    def validate(self) -> None:
        """Check every declared setting against its range.

        Raises:
            ValueError: Naming the key, its value and the allowed range.
        """
        hush_new_stack_remark(self)
        super().validate()
        check_all(self.hyperparameters(), self._declared())

    def get_state(self) -> dict[str, Any]:
        """RLlib's state, and every declared setting.

        RLlib leaves out what equals -1, its mark of a deprecated setting; an algorithm is built
        from this state, so that such a value would silently give way to the default.
        """
        return super().get_state() | self._declared()

    def _declared(self) -> dict[str, Any]:
        return {name: getattr(self, name) for name in self.hyperparameters()}

    @property
    def _model_config_auto_includes(self) -> dict[str, Any]:
        return super()._model_config_auto_includes | self._declared()


class OffPolicyConfig(DeclaredConfig):
    """Sampling, replay and update settings of every off-policy method."""

    HYPERPARAMETERS: ClassVar[Mapping[str, Hyperparameter]] = {
        "gamma": Hyperparameter(0.99, "discount", low=0, high=1),
        "train_batch_size": Hyperparameter(256, "transitions a gradient step", low=1),
        "updates_per_step": Hyperparameter(1.0, "gradient steps an environment step", low=0),
        "warmup_steps": Hyperparameter(
            1000, "environment steps before the first gradient step", low=0
        ),
        "warmup_actions": Hyperparameter(
            "uniform", "who acts during warm-up", choices=("uniform", "policy")
        ),
        "replay_capacity": Hyperparameter(1_000_000, "transitions kept", low=1),
        "reward_scale": Hyperparameter(1.0, "factor on the environment's reward, when stored"),
        "time_limit_is_terminal": Hyperparameter(
            False,
            "treat a truncated episode as terminated: no bootstrap at the time limit",
            choices=(True, False),
        ),
        "fragment_steps": Hyperparameter(
            1, "steps of each environment copy between two rounds of gradient steps", low=1
        ),
        "iteration_steps": Hyperparameter(
            1000, "environment steps an iteration, summed over all copies", low=1
        ),
        "num_historical_policies": Hyperparameter(
            0, "policies that an evaluation also averages over; 0: none", low=0
        ),
        "historical_every": Hyperparameter(
            50,
            "iterations between two snapshots for the average; the first is the untrained policy",
            "released SMM code",
            low=1,
        ),
        "historical_weighting": Hyperparameter(
            "exponential",
            "how snapshots are drawn",
            "Lee et al., table 3",
            choices=("exponential", "uniform", "last"),
        ),
        "historical_base": Hyperparameter(
            1.2, "growth of a snapshot's weight (exponential)", "released SMM code", low=1
        ),
        "historical_newest_probability": Hyperparameter(
            0.1,
            "chance that an episode uses the newest policy outright",
            "released SMM code",
            low=0,
            high=1,
        ),
        "torch_threads": TORCH_THREADS,
    }

    def validate(self) -> None:
        """Check the settings; see ``DeclaredConfig.validate``."""
        super().validate()
        if self.num_learners > 1:
            raise ValueError(
                f"num_learners={self.num_learners}: the replay has one owner; use 0 (in the "
                "trial's process) or 1 (an actor of its own), and more seeds for more machines"
            )
        if not self.enable_env_runner_and_connector_v2:
            raise ValueError("the old API stack is not supported")

    @property
    def env_copies(self) -> int:
        """Environment copies over all runners."""
        return self.num_envs_per_env_runner * max(1, self.num_env_runners)
