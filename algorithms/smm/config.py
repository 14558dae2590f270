"""Settings of state marginal matching."""

from collections.abc import Mapping
from typing import Any, ClassVar, Self

from ray.rllib.core.rl_module.rl_module import RLModuleSpec

from expedition.algorithms.core.hyperparameters import Hyperparameter
from expedition.algorithms.core.skills import SKILL_SETTINGS
from expedition.algorithms.core.whitening import STATE_SETTINGS
from expedition.algorithms.sac.config import SACConfig
from expedition.algorithms.smm.density_settings import DENSITY_SETTINGS
from expedition.algorithms.smm.paper_sac import PAPER_SAC

SPLIT_SETTINGS: Mapping[str, Hyperparameter] = {
    "component_actors": Hyperparameter(
        0, "Ray actors that run the components (split); 0: the trial's process", low=0
    ),
    "component_cpus": Hyperparameter(1.0, "CPUs of such an actor", low=0),
    "component_placement": Hyperparameter(
        "PACK", "of the actors over nodes", choices=("PACK", "SPREAD")
    ),
    "max_staleness": Hyperparameter(
        0,
        "rounds by which components may run ahead of the slowest (split); 0: a barrier after "
        "every round, the same numbers for the same seed",
        low=0,
    ),
    "discriminator_pool": Hyperparameter(
        20_000, "states of each skill that d learns from (split)", low=1
    ),
}


class SMMConfig(SACConfig):
    """State marginal matching (Lee et al., arXiv:1906.05274).

    SAC's settings default to what the paper and its released code used; "released code" marks a
    value that the paper does not give.
    """

    HYPERPARAMETERS: ClassVar[Mapping[str, Hyperparameter]] = {
        "num_skills": Hyperparameter(
            1,
            "mixture components n; 1 is SMM, more is SM4",
            "algorithm 1; table 3: 4 in Manipulation",
            low=1,
        ),
        "layout": Hyperparameter(
            "shared",
            "shared: one set of networks, conditioned on the skill; split: every skill has its own "
            "environments, policy, critics, density and replay",
            "shared: released code; split: app. B.1",
            choices=("shared", "split"),
        ),
        **SPLIT_SETTINGS,
        "reward_coeff": Hyperparameter(
            1.0, "weight of the environment's reward, log p*", "eq. 8", low=0
        ),
        "state_entropy_coeff": Hyperparameter(1.0, "weight of -log q_z(s)", "table 3", low=0),
        "skill_entropy_coeff": Hyperparameter(1.0, "weight of log d(z|s)", "table 3", low=0),
        "prior_coeff": Hyperparameter(1.0, "weight of -log p(z) = log n", "eq. 8", low=0),
        "discriminator_sign": Hyperparameter(
            "paper",
            "paper: + log d(z|s), skills are told apart; released: - log d(z|s)",
            "eq. 8; released code",
            choices=("paper", "released"),
        ),
        **DENSITY_SETTINGS,
        "discriminator_lr": Hyperparameter(
            1e-3, "Adam step of the discriminator", "released code", low=0
        ),
        "discriminator_hidden_sizes": Hyperparameter(
            (300, 300), "widths of the discriminator", "app. D.2"
        ),
        **STATE_SETTINGS,
        **SKILL_SETTINGS,
        **PAPER_SAC,
    }

    def __init__(self, algo_class: type | None = None) -> None:
        from expedition.algorithms.smm.algorithm import SMM

        super().__init__(algo_class or SMM)

    def training(self, **settings: Any) -> Self:
        """Set hyperparameters; see ``DeclaredConfig.training``."""
        return super().training(**settings)._with_algorithm()

    def update_from_dict(self, config_dict: dict[str, Any]) -> Self:
        """Set whatever is in a plain mapping (RLlib)."""
        return super().update_from_dict(config_dict)._with_algorithm()

    def validate(self) -> None:
        """Check the settings; see ``DeclaredConfig.validate``."""
        super().validate()
        if self.layout == "shared":
            self._check_shared()
        else:
            self._check_split()

    def _check_shared(self) -> None:
        for name, setting in SPLIT_SETTINGS.items():
            value = getattr(self, name)
            if value != setting.default:
                raise ValueError(
                    f"{name}={value!r} is of layout='split'; set that, or leave {name} at "
                    f"{setting.default!r}"
                )

    def _check_split(self) -> None:
        if self.num_env_runners or self.num_learners:
            raise ValueError(
                "layout='split': components are spread by component_actors; leave num_env_runners "
                "and num_learners at 0"
            )
        if self.num_skills > self.train_batch_size:
            raise ValueError(
                f"train_batch_size={self.train_batch_size}: the discriminator learns from batches "
                f"with states of every skill; must be at least num_skills={self.num_skills}"
            )

    def _with_algorithm(self) -> Self:
        """Let the algorithm be that of the layout, unless it is a class of the user's own."""
        from expedition.algorithms.smm.algorithm import SMM
        from expedition.algorithms.smm.split import SplitSMM

        if self.algo_class in (SMM, SplitSMM):
            self.algo_class = SplitSMM if self.layout == "split" else SMM
        return self

    def get_default_rl_module_spec(self) -> RLModuleSpec:
        """The module of this method."""
        if self.layout == "split":
            from expedition.algorithms.smm.mixture import MixtureModule

            return RLModuleSpec(module_class=MixtureModule)
        from expedition.algorithms.smm.module import SMMModule

        return RLModuleSpec(module_class=SMMModule)

    def get_default_learner_class(self) -> type:
        """The learner of this method."""
        if self.layout == "split":
            from expedition.algorithms.smm.mixture_learner import MixtureLearner

            return MixtureLearner
        from expedition.algorithms.smm.learner import SMMLearner

        return SMMLearner
