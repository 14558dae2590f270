"""The methods by name. A name costs nothing until its method is used: imports are lazy."""

from collections.abc import Iterator
from dataclasses import dataclass
from importlib import import_module
from importlib.metadata import EntryPoint, entry_points
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ray.rllib.algorithms.algorithm_config import AlgorithmConfig

ENTRY_POINT_GROUP = "expedition.algorithms"


class UnknownAlgorithmError(ValueError):
    """No method has that name."""


@dataclass(frozen=True)
class Registration:
    """Where a method's config class is, and what the method is in one line."""

    path: str
    summary: str


_BUILT_IN = {
    "a2c": Registration(
        "expedition.algorithms.ppo:A2CConfig", "synchronous advantage actor-critic"
    ),
    "cem": Registration(
        "expedition.algorithms.cem:CEMConfig",
        "the cross-entropy method over the parameters of a policy",
    ),
    "clone": Registration(
        "expedition.algorithms.implicit_policy.imitation:CloneConfig",
        "imitation by maximum likelihood, with a flow or a Gaussian",
    ),
    "count": Registration(
        "expedition.algorithms.intrinsic:CountConfig", "SAC on visit counts of a grid of states"
    ),
    "ddpg": Registration(
        "expedition.algorithms.implicit_policy.ddpg:DDPGConfig",
        "deep deterministic policy gradient with adaptive parameter noise",
    ),
    "diayn": Registration(
        "expedition.algorithms.intrinsic:DIAYNConfig",
        "SAC on how well a discriminator tells its skills apart",
    ),
    "disagreement": Registration(
        "expedition.algorithms.intrinsic:DisagreementConfig",
        "SAC on the disagreement of an ensemble of dynamics models",
    ),
    "gan_imitation": Registration(
        "expedition.algorithms.implicit_policy.imitation:GANImitationConfig",
        "imitation by a discriminator, with a policy without a density or a Gaussian",
    ),
    "icm": Registration(
        "expedition.algorithms.intrinsic:ICMConfig",
        "SAC on the prediction error of an intrinsic curiosity module",
    ),
    "latent_space": Registration(
        "expedition.algorithms.maesn:LatentSpaceConfig",
        "a policy conditioned on latents of the tasks, which it adapts in a test",
    ),
    "maesn": Registration(
        "expedition.algorithms.maesn:MAESNConfig",
        "meta-learned exploration with structured noise",
    ),
    "maml": Registration(
        "expedition.algorithms.maml:MAMLConfig",
        "model-agnostic meta-learning with TRPO; bias transformation, learned steps",
    ),
    "nbp": Registration(
        "expedition.algorithms.implicit_policy.nbp:NBPConfig",
        "a policy without a density, of noisy parameters and dropout, by Q-values and a classifier",
    ),
    "nfp": Registration(
        "expedition.algorithms.implicit_policy.nfp:NFPConfig",
        "a normalising-flow policy of known density, by PPO",
    ),
    "ppo": Registration(
        "expedition.algorithms.ppo:PPOConfig",
        "RLlib's proximal policy optimisation with a Gaussian policy; presets of OpenAI baselines",
    ),
    "pseudocount": Registration(
        "expedition.algorithms.intrinsic:PseudocountConfig",
        "SAC on pseudo-counts of a density model",
    ),
    "random": Registration(
        "expedition.algorithms.random:RandomConfig", "uniformly random actions; learns nothing"
    ),
    "reinforce": Registration(
        "expedition.algorithms.trpo:ReinforceConfig", "REINFORCE with a linear baseline"
    ),
    "rl2": Registration(
        "expedition.algorithms.rl2:RL2Config",
        "RL²: a recurrent policy that learns within a trial of several episodes, by TRPO",
    ),
    "rnd": Registration(
        "expedition.algorithms.intrinsic:RNDConfig",
        "SAC on the error of imitating a random network",
    ),
    "sac": Registration(
        "expedition.algorithms.sac:SACConfig",
        "soft actor-critic, 2018 value-network form (v1) or twin Q with learned temperature (v2)",
    ),
    "smm": Registration(
        "expedition.algorithms.smm:SMMConfig",
        "state marginal matching on SAC; SM4 with num_skills > 1",
    ),
    "sql": Registration(
        "expedition.algorithms.implicit_policy.sql:SQLConfig",
        "soft Q-learning with a sampler trained by Stein variational gradient descent",
    ),
    "trpo": Registration(
        "expedition.algorithms.trpo:TRPOConfig",
        "trust-region policy optimisation with a linear baseline",
    ),
    "vime": Registration(
        "expedition.algorithms.vime:VIMEConfig",
        "TRPO on the information that transitions bring a Bayesian model of the dynamics",
    ),
}


def names() -> list[str]:
    """Every registered name, built in or from an entry point, sorted."""
    return sorted({*_BUILT_IN, *(point.name for point in _plug_ins())})


def describe(name: str) -> str:
    """One line about the method.

    Raises:
        UnknownAlgorithmError: If there is no such method.
    """
    if name in _BUILT_IN:
        return _BUILT_IN[name].summary
    return f"from {_plug_in(name).value}"


def config_class(name: str) -> "type[AlgorithmConfig]":
    """The method's config class; imports the method.

    Raises:
        UnknownAlgorithmError: If there is no such method.
    """
    if name in _BUILT_IN:
        module, _, attribute = _BUILT_IN[name].path.partition(":")
        return getattr(import_module(module), attribute)
    return _plug_in(name).load()


def _plug_ins() -> Iterator[EntryPoint]:
    yield from entry_points(group=ENTRY_POINT_GROUP)


def _plug_in(name: str) -> EntryPoint:
    for point in _plug_ins():
        if point.name == name:
            return point
    from expedition.algorithms.core.hyperparameters import nearest

    raise UnknownAlgorithmError(f"unknown algorithm '{name}'{nearest(name, names())}")
