"""The normalising-flow policy (NFP), trained by proximal policy optimisation."""

from collections.abc import Mapping
from typing import Any, ClassVar

from ray.rllib.core.rl_module.rl_module import RLModuleSpec

from expedition.algorithms.core.hyperparameters import Hyperparameter
from expedition.algorithms.implicit_policy.flow import FLOW_SETTINGS, CouplingFlow
from expedition.algorithms.implicit_policy.flow_policy import FlowPolicy
from expedition.algorithms.ppo.algorithm import PPO
from expedition.algorithms.ppo.config import PPOConfig
from expedition.algorithms.ppo.module import PPOModule


class NFPModule(PPOModule):
    """A flow policy, a value net and an observation filter."""

    def make_policy(self) -> Any:
        """The flow policy."""
        flow = CouplingFlow.of(self.model_config, self.obs_dim, self.action_dim, self.is_squashed)
        return FlowPolicy(self.state_net(), flow)


class NFPConfig(PPOConfig):
    """NFP on PPO (Tang & Agrawal 2018, arXiv:1806.06798, sec. 4.1 and app. C).

    Example:
        >>> from expedition.algorithms.implicit_policy.nfp import NFPConfig
        >>> config = NFPConfig().environment("Reacher-v5").training(n_couplings=8)
        >>> algo = config.debugging(seed=0).build_algo()  # doctest: +SKIP
    """

    HYPERPARAMETERS: ClassVar[Mapping[str, Hyperparameter]] = {
        **FLOW_SETTINGS,
        "hidden_sizes": Hyperparameter((64, 64), "hidden widths of the state net L", "app. C.1"),
        "activation": Hyperparameter(
            "relu", "their non-linearity", "released code", choices=("relu", "tanh")
        ),
        "layer_norm": Hyperparameter(
            True, "normalise the layers of L", "released code", choices=(True, False)
        ),
    }

    def __init__(self, algo_class: type | None = None) -> None:
        super().__init__(algo_class or NFP)

    def get_default_rl_module_spec(self) -> RLModuleSpec:
        """The module of this method."""
        return RLModuleSpec(module_class=NFPModule)


class NFP(PPO):
    """PPO with a normalising-flow policy."""

    config: NFPConfig

    @classmethod
    def get_default_config(cls) -> NFPConfig:
        """Default settings."""
        return NFPConfig()
