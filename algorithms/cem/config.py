"""Settings of the cross-entropy method."""

from collections.abc import Mapping
from typing import ClassVar

from ray.rllib.core.rl_module.rl_module import RLModuleSpec

from expedition.algorithms.core.config import TORCH_THREADS, DeclaredConfig
from expedition.algorithms.core.hyperparameters import Hyperparameter


class CEMConfig(DeclaredConfig):
    """Cross-entropy method (Rubinstein 1999; for policies Szita & Lőrincz 2006).

    The defaults are those of OpenAI Gym's example agent, which has no extra noise.

    Example:
        >>> from expedition.algorithms.cem import CEMConfig
        >>> config = CEMConfig().environment("Swimmer-v5").training(population=50)
        >>> algo = config.debugging(seed=0).build_algo()  # doctest: +SKIP
    """

    HYPERPARAMETERS: ClassVar[Mapping[str, Hyperparameter]] = {
        "population": Hyperparameter(25, "members a generation", "Gym's example", low=2),
        "elite_fraction": Hyperparameter(
            0.2,
            "share of them that the next generation is fitted to",
            "Gym's example",
            low=0,
            high=1,
        ),
        "episodes_per_member": Hyperparameter(
            1, "episodes whose mean return ranks a member", "Gym's example", low=1
        ),
        "parameter_std": Hyperparameter(
            1.0, "standard deviation of the first generation's parameters", "Gym's example", low=0
        ),
        "extra_std": Hyperparameter(
            0.0, "standard deviation added (as a variance) at first, against early collapse", low=0
        ),
        "extra_decay_generations": Hyperparameter(
            100, "generations in which that variance falls to 0, linearly", low=1
        ),
        "hidden_sizes": Hyperparameter((), "hidden widths of the policy; none: linear"),
        "activation": Hyperparameter("tanh", "their non-linearity", choices=("relu", "tanh")),
        "torch_threads": TORCH_THREADS,
    }

    def __init__(self, algo_class: type | None = None) -> None:
        from expedition.algorithms.cem.algorithm import CEM

        super().__init__(algo_class or CEM)

    def validate(self) -> None:
        """Check the settings; see ``DeclaredConfig.validate``."""
        super().validate()
        if self.num_learners > 1 or self.num_env_runners:
            raise ValueError(
                f"num_learners={self.num_learners}, num_env_runners={self.num_env_runners}: a "
                "generation is evaluated as one batch by the trial's process; leave both at 0"
            )

    @property
    def elites(self) -> int:
        """Members that the next generation is fitted to, at least one."""
        return max(1, round(self.elite_fraction * self.population))

    def get_default_rl_module_spec(self) -> RLModuleSpec:
        """The module of this method."""
        from expedition.algorithms.cem.module import CEMModule

        return RLModuleSpec(module_class=CEMModule)

    def get_default_learner_class(self) -> type:
        """The learner of this method."""
        from expedition.algorithms.cem.learner import CEMLearner

        return CEMLearner
