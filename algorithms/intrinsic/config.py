"""Settings of soft actor-critic on intrinsic rewards.

Defaults are those of the SMM paper's baselines (Lee et al., arXiv:1906.05274, table 3; "released
code" where the paper is silent), for methods that are not in it those of the method's own paper.
"""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, ClassVar

from ray.rllib.core.rl_module.rl_module import RLModuleSpec

from expedition.algorithms.core.hyperparameters import Hyperparameter
from expedition.algorithms.core.skills import SKILL_SETTINGS
from expedition.algorithms.core.whitening import STATE_SETTINGS
from expedition.algorithms.sac.config import SACConfig
from expedition.algorithms.smm.density_settings import DENSITY_SETTINGS
from expedition.algorithms.smm.paper_sac import PAPER_SAC


class IntrinsicConfig(SACConfig):
    """SAC on reward_coeff * r + intrinsic_coeff * bonus; a subclass names the bonus."""

    BONUS: ClassVar[str] = ""

    HYPERPARAMETERS: ClassVar[Mapping[str, Hyperparameter]] = {
        "reward_coeff": Hyperparameter(
            1.0, "weight of the environment's reward", "released code", low=0
        ),
        "intrinsic_coeff": Hyperparameter(1.0, "weight of the bonus", "table 3", low=0),
        **PAPER_SAC,
    }

    def __init__(self, algo_class: type | None = None) -> None:
        from expedition.algorithms.intrinsic import algorithm

        # ICMConfig configures ICM.
        own = getattr(algorithm, type(self).__name__.removesuffix("Config"))
        super().__init__(algo_class or own)

    def validate(self) -> None:
        """Check the settings; see ``DeclaredConfig.validate``."""
        super().validate()
        if not self.BONUS:
            raise ValueError("IntrinsicConfig has no bonus: use ICMConfig, CountConfig, ...")

    def get_default_rl_module_spec(self) -> RLModuleSpec:
        """The module of this method."""
        from expedition.algorithms.intrinsic.module import IntrinsicModule

        return RLModuleSpec(module_class=IntrinsicModule)

    def get_default_learner_class(self) -> type:
        """The learner of this method."""
        from expedition.algorithms.intrinsic.learner import IntrinsicLearner

        return IntrinsicLearner

    @property
    def _model_config_auto_includes(self) -> dict[str, Any]:
        return super()._model_config_auto_includes | {"bonus": self.BONUS}


class CountConfig(IntrinsicConfig):
    """Visit counts of a grid."""

    BONUS = "count"
    HYPERPARAMETERS: ClassVar[Mapping[str, Hyperparameter]] = {
        "intrinsic_coeff": Hyperparameter(10.0, "weight of the bonus", "table 3", low=0),
        "count_form": Hyperparameter(
            "log",
            "log: -log of the share of visits; inverse_root: 1 / sqrt(visits)",
            "sec. 5; released code: inverse_root",
            choices=("log", "inverse_root"),
        ),
        "count_bin": Hyperparameter(
            0.05, "width of a cell, units of the observation", "table 3", low=1e-9
        ),
        "state_indices": STATE_SETTINGS["state_indices"],
    }


class PseudocountConfig(IntrinsicConfig):
    """Pseudo-counts of a density model."""

    BONUS = "pseudocount"
    HYPERPARAMETERS: ClassVar[Mapping[str, Hyperparameter]] = {
        "pseudocount_scale": Hyperparameter(
            1.0, "c, inside the exponential", "table 3; Ostrovski et al. 2017: 0.1", low=0
        ),
        "pseudocount_smoothing": Hyperparameter(
            0.0, "added to the count", "released code; Ostrovski et al. 2017: 0.01", low=0
        ),
        **DENSITY_SETTINGS,
        # c = 1 without smoothing belongs to the released score; the gains of a log density
        # are hundreds of times larger, and they stand in an exponent.
        "density": replace(DENSITY_SETTINGS["density"], default="vae_code", source="released code"),
        "density_lr": Hyperparameter(1e-2, "Adam step of the density model", "table 3", low=0),
        **STATE_SETTINGS,
    }

    def get_default_learner_class(self) -> type:
        """The learner of this method."""
        from expedition.algorithms.intrinsic.pseudocount_learner import PseudocountLearner

        return PseudocountLearner


class ICMConfig(IntrinsicConfig):
    """Intrinsic curiosity module."""

    BONUS = "icm"
    HYPERPARAMETERS: ClassVar[Mapping[str, Hyperparameter]] = {
        "intrinsic_lr": Hyperparameter(1e-3, "Adam step of the three models", "table 3", low=0),
        "icm_hidden_sizes": Hyperparameter(
            (300, 300), "widths of features and forward model", "released code"
        ),
        "icm_feature_dim": Hyperparameter(300, "width of the features", "released code", low=1),
    }


class RNDConfig(IntrinsicConfig):
    """Random network distillation."""

    BONUS = "rnd"
    HYPERPARAMETERS: ClassVar[Mapping[str, Hyperparameter]] = {
        "intrinsic_lr": Hyperparameter(
            1e-4, "Adam step of the predictor", "Laskin et al. 2021, app. B", low=0
        ),
        "rnd_hidden_sizes": Hyperparameter(
            (1024, 1024), "widths of target and predictor", "Laskin et al. 2021, app. B"
        ),
        "rnd_feature_dim": Hyperparameter(
            512, "width of their outputs", "Laskin et al. 2021, app. B", low=1
        ),
    }


class DisagreementConfig(IntrinsicConfig):
    """Disagreement of an ensemble of dynamics models."""

    BONUS = "disagreement"
    HYPERPARAMETERS: ClassVar[Mapping[str, Hyperparameter]] = {
        "intrinsic_lr": Hyperparameter(
            1e-4, "Adam step of the models", "Laskin et al. 2021, app. B", low=0
        ),
        "disagreement_hidden_sizes": Hyperparameter(
            (1024,), "widths of each model", "Laskin et al. 2021, app. B"
        ),
        "disagreement_members": Hyperparameter(5, "models", "Pathak et al. 2019, sec. 4", low=2),
    }


class DIAYNConfig(IntrinsicConfig):
    """Diversity is all you need: skills, and a discriminator that tells them apart."""

    BONUS = "diayn"
    HYPERPARAMETERS: ClassVar[Mapping[str, Hyperparameter]] = {
        "reward_coeff": Hyperparameter(
            0.0, "weight of the environment's reward", "Eysenbach et al. 2019, sec. 3", low=0
        ),
        "num_skills": Hyperparameter(16, "skills", "Laskin et al. 2021, app. B", low=2),
        "intrinsic_lr": Hyperparameter(
            3e-4, "Adam step of the discriminator", "Eysenbach et al. 2019, app. C", low=0
        ),
        "discriminator_hidden_sizes": Hyperparameter(
            (300, 300), "widths of the discriminator", "Eysenbach et al. 2019, app. C"
        ),
        **SKILL_SETTINGS,
        **STATE_SETTINGS,
    }
