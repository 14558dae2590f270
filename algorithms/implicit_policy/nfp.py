"""The normalising-flow policy (NFP), trained by proximal policy optimisation."""

from collections.abc import Mapping
from typing import Any, ClassVar

import torch
from ray.rllib.core.rl_module.rl_module import RLModuleSpec
from torch import Tensor, nn

from expedition.algorithms.core.hyperparameters import Hyperparameter
from expedition.algorithms.implicit_policy.flow import CouplingFlow
from expedition.algorithms.ppo.algorithm import PPO
from expedition.algorithms.ppo.config import PPOConfig
from expedition.algorithms.ppo.module import PPOModule
from expedition.algorithms.ppo.policy import Draw

FLOW_SETTINGS: Mapping[str, Hyperparameter] = {
    "n_couplings": Hyperparameter(
        4, "K, affine couplings of the flow", "app. C.1: 4; released code: 8", low=1
    ),
    "coupling_units": Hyperparameter(3, "k, width of the nets s and t", "app. C.1: 3 or 6", low=1),
    "log_scale_bound": Hyperparameter(
        None, "c, bound on each log-scale by c tanh(s / c)", low=1e-3, words=(None,)
    ),
}


class FlowPolicy(nn.Module):
    """a = f(L(o), ε): a coupling flow whose translation L is a net of the observation.

    Args:
        state_net: L, ``[B, obs] -> [B, m]``.
        flow: f.
    """

    def __init__(self, state_net: nn.Module, flow: CouplingFlow) -> None:
        super().__init__()
        self.state_net, self.flow = state_net, flow

    def draw(self, obs: Tensor, noise: Tensor) -> Draw:
        """See ``DensityPolicy.draw``."""
        return Draw(*self.flow(noise, self.state_net(obs)))

    def mode(self, obs: Tensor) -> Tensor | None:
        """None: a policy with several modes always draws, as the released code does."""
        return None

    def log_prob(self, obs: Tensor, raw: Tensor) -> Tensor:
        """See ``DensityPolicy.log_prob``."""
        return self.flow.log_prob(raw, self.state_net(obs))

    def entropy(self, obs: Tensor, noise: Tensor) -> Tensor:
        """Minus the mean log density of fresh draws, with the gradient through the draws."""
        shift = self.state_net(obs).repeat(len(noise) // len(obs), 1)
        return -self.flow(noise, shift).log_prob.mean()

    def statistics(self, obs: Tensor, raw: Tensor) -> dict[str, Tensor]:
        """``log_scale``: mean |s|; ``largest_noise``: max |ε|, which is large in density holes."""
        noise, scales = self.flow.inverse(raw, self.state_net(obs))
        sizes = torch.cat(scales, -1).abs().mean() if scales else torch.zeros(())
        return {"log_scale": sizes, "largest_noise": noise.abs().max()}


class NFPModule(PPOModule):
    """A flow policy, a value net and an observation filter."""

    def make_policy(self) -> Any:
        """The flow policy."""
        settings = self.model_config
        flow = CouplingFlow(
            self.action_dim,
            settings["n_couplings"],
            settings["coupling_units"],
            log_scale_bound=settings["log_scale_bound"],
            init_std=settings["init_std"],
            squash=self.is_squashed,
        )
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
