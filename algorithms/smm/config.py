"""Settings of state marginal matching."""

from collections.abc import Mapping
from typing import ClassVar

from ray.rllib.core.rl_module.rl_module import RLModuleSpec

from expedition.algorithms.core.hyperparameters import Hyperparameter
from expedition.algorithms.core.skills import SKILL_SETTINGS
from expedition.algorithms.core.whitening import STATE_SETTINGS
from expedition.algorithms.sac.config import SACConfig
from expedition.algorithms.smm.density_settings import DENSITY_SETTINGS
from expedition.algorithms.smm.paper_sac import PAPER_SAC


class SMMConfig(SACConfig):
    """State marginal matching (Lee et al., arXiv:1906.05274).

    SAC's settings default to what the paper and its released code used; "released code" marks a
    value that the paper does not give.
    """

    HYPERPARAMETERS: ClassVar[Mapping[str, Hyperparameter]] = {
        "num_skills": Hyperparameter(
            1, "mixture components n; 1 is SMM, more is SM4", "table 3", low=1
        ),
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

    def get_default_rl_module_spec(self) -> RLModuleSpec:
        """The module of this method."""
        from expedition.algorithms.smm.module import SMMModule

        return RLModuleSpec(module_class=SMMModule)

    def get_default_learner_class(self) -> type:
        """The learner of this method."""
        from expedition.algorithms.smm.learner import SMMLearner

        return SMMLearner
