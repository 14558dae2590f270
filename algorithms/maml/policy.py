"""MAML's meta-parameters: a policy to start from, and the steps that adapt it to a task."""

from collections.abc import Mapping, Sequence
from typing import Any, Self

import torch
from torch import Tensor, nn

from expedition.algorithms.core.gaussian_policy import Gaussian, GaussianPolicy, Parameters
from expedition.algorithms.core.networks import Activation

CONTEXT = "context"
_STEPS = "steps."


class AdaptablePolicy(GaussianPolicy):
    """A ``GaussianPolicy`` to be adapted, with learned step sizes if asked for.

    With a bias transformation a vector ``context`` [c], zero at first, is appended to every
    observation: shifting it by Δ shifts the first layer's bias by W_c Δ, a change with a step size
    of its own. Parameters are float32.

    Args:
        obs_dim: Size of an observation.
        action_dim: Size of an action.
        hidden_sizes: Widths of the hidden layers.
        activation: Their non-linearity.
        init_std: Standard deviation of the actions at first.
        context_dim: c, 0 for no bias transformation.
        adapted: ``"all"`` parameters take the inner step, or ``"bias"``: the context alone.
        inner_lr: Step size, of every parameter at first.
        adaptive_steps: Meta-learn one step size for every adapted number.

    Source: Finn et al. 2017, algorithm 3; bias transformation: Finn et al. 2017b,
    arXiv:1709.04905, sec. 4.2; learned steps: Li et al. 2017, arXiv:1707.09835.
    """

    def __init__(
        self,
        obs_dim: int,
        action_dim: int,
        hidden_sizes: Sequence[int],
        *,
        activation: Activation = "relu",
        init_std: float = 1.0,
        context_dim: int = 0,
        adapted: str = "all",
        inner_lr: float = 0.1,
        adaptive_steps: bool = False,
    ) -> None:
        super().__init__(
            obs_dim,
            action_dim,
            hidden_sizes,
            latent_dim=context_dim,
            activation=activation,
            init_std=init_std,
            dtype=torch.float32,
        )
        if context_dim:
            self.register_parameter(CONTEXT, nn.Parameter(torch.zeros(context_dim)))
        own = dict(self.named_parameters())
        self.inner_lr = inner_lr
        self.adapted = tuple(own) if adapted == "all" else (CONTEXT,)
        self.steps = nn.ParameterDict()
        if adaptive_steps:
            for name in self.adapted:
                self.steps[name] = torch.full_like(own[name], inner_lr)

    @classmethod
    def of(cls, obs_dim: int, action_dim: int, settings: Mapping[str, Any]) -> Self:
        """The policy that a config's settings describe."""
        return cls(
            obs_dim,
            action_dim,
            tuple(settings["hidden_sizes"]),
            activation=settings["activation"],
            init_std=settings["init_std"],
            context_dim=settings["bias_transformation"],
            adapted=settings["adapted"],
            inner_lr=settings["inner_lr"],
            adaptive_steps=settings["adaptive_steps"],
        )

    def initial(self, meta: Parameters | None = None) -> dict[str, Tensor]:
        """The parameters to start from: all but the step sizes.

        Args:
            meta: Values to use in place of this module's own, keyed as ``named_parameters``.
        """
        meta = dict(self.named_parameters()) if meta is None else meta
        return {name: value for name, value in meta.items() if not name.startswith(_STEPS)}

    def stacked(self, tasks: int, meta: Parameters | None = None) -> dict[str, Tensor]:
        """The initial parameters once a task, ``[M, ...]`` each, differentiably."""
        initial = self.initial(meta).items()
        return {name: value.expand(tasks, *value.shape) for name, value in initial}

    def step_size(self, name: str, meta: Parameters | None = None) -> Tensor | float:
        """Step size of an adapted parameter: of its shape where learned, else a number."""
        if name not in self.steps:
            return self.inner_lr
        return self.steps[name] if meta is None else meta[_STEPS + name]

    def distribution(self, parameters: Parameters, obs: Tensor) -> Gaussian:
        """The policies of M tasks' parameters at ``obs`` ``[M, B, obs]``."""
        mean = self.mean(parameters, obs, parameters.get(CONTEXT))
        return Gaussian(mean, self.floored_log_std(parameters))
