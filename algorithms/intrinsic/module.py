"""Networks of soft actor-critic and of its bonus."""

from collections.abc import Callable, Mapping
from typing import Any

from torch import nn

from expedition.algorithms.core.skill_module import SkillModule
from expedition.algorithms.core.whitening import Whitening, selected
from expedition.algorithms.intrinsic.count import CountReward
from expedition.algorithms.intrinsic.curiosity import ICMReward
from expedition.algorithms.intrinsic.disagreement import DisagreementReward
from expedition.algorithms.intrinsic.distillation import RNDReward
from expedition.algorithms.intrinsic.pseudocount import PseudocountReward
from expedition.algorithms.intrinsic.skill_discovery import DIAYNReward
from expedition.algorithms.sac.module import SACModule
from expedition.algorithms.smm.density_settings import build_density

_NO_SKILLS = {"num_skills": 1}


class IntrinsicModule(SkillModule, SACModule):
    """SAC, conditioned on a skill if the method has skills, and the model of the bonus."""

    def setup(self) -> None:
        """Build the networks from the config's settings."""
        self.model_config = {**_NO_SKILLS, **self.model_config}
        super().setup()
        if not self.inference_only:
            self.bonus = _BUILDERS[self.model_config["bonus"]](self, self.model_config)

    def get_non_inference_attributes(self) -> list[str]:
        """What an env runner does not need."""
        return [*super().get_non_inference_attributes(), "bonus"]


def _count(module: IntrinsicModule, settings: Mapping[str, Any]) -> nn.Module:
    indices = selected(settings["state_indices"], module.obs_dim)
    return CountReward(indices, settings["count_bin"], settings["count_form"])


def _pseudocount(module: IntrinsicModule, settings: Mapping[str, Any]) -> nn.Module:
    whiten = Whitening.from_settings(module.observation_space, settings)
    density = build_density(settings, whiten.dim, 0)
    scale, smoothing = settings["pseudocount_scale"], settings["pseudocount_smoothing"]
    return PseudocountReward(density, whiten, scale, smoothing)


def _icm(module: IntrinsicModule, settings: Mapping[str, Any]) -> nn.Module:
    hidden, features = settings["icm_hidden_sizes"], settings["icm_feature_dim"]
    return ICMReward(module.obs_dim, module.action_dim, hidden, features)


def _rnd(module: IntrinsicModule, settings: Mapping[str, Any]) -> nn.Module:
    return RNDReward(module.obs_dim, settings["rnd_hidden_sizes"], settings["rnd_feature_dim"])


def _disagreement(module: IntrinsicModule, settings: Mapping[str, Any]) -> nn.Module:
    hidden, members = settings["disagreement_hidden_sizes"], settings["disagreement_members"]
    return DisagreementReward(module.obs_dim, module.action_dim, hidden, members)


def _diayn(module: IntrinsicModule, settings: Mapping[str, Any]) -> nn.Module:
    whiten = Whitening.from_settings(module.observation_space, settings)
    return DIAYNReward(whiten, settings["num_skills"], settings["discriminator_hidden_sizes"])


_BUILDERS: Mapping[str, Callable[[IntrinsicModule, Mapping[str, Any]], nn.Module]] = {
    "count": _count,
    "pseudocount": _pseudocount,
    "icm": _icm,
    "rnd": _rnd,
    "disagreement": _disagreement,
    "diayn": _diayn,
}
