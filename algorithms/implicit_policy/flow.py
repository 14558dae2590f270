"""A normalising flow over actions: affine couplings, with the state added after the first.

Source: Tang & Agrawal 2018, arXiv:1806.06798, eq. 4, 5 and 16; masks and sizes of the nets are
those of the authors' later release (see README).
"""

import math
from collections.abc import Mapping
from typing import Any, NamedTuple, Self

import torch
from torch import Tensor, nn

from expedition.algorithms.core.hyperparameters import Hyperparameter
from expedition.algorithms.core.squashed_gaussian import log_tanh_slope

FLOW_SETTINGS: Mapping[str, Hyperparameter] = {
    "n_couplings": Hyperparameter(
        4, "K, affine couplings of the flow", "app. C.1: 4; released code: 8", low=1
    ),
    "coupling_units": Hyperparameter(3, "k, width of the nets s and t", "app. C.1: 3 or 6", low=1),
    "log_scale_bound": Hyperparameter(
        None, "c, bound on each log-scale by c tanh(s / c)", low=1e-3, words=(None,)
    ),
    "state_in_couplings": Hyperparameter(
        False,
        "give the nets s and t the observation too; else the state translates and no more",
        "ours; paper and released code: no",
        choices=(True, False),
    ),
}

_LOG_SQRT_2PI = 0.5 * math.log(2 * math.pi)
_OUTPUT_SCALE = 3e-3  # the flow starts close to the identity


class FlowSample(NamedTuple):
    """A draw, differentiable in the flow: ``raw`` ``[B, m]`` and its ``log_prob`` ``[B]``."""

    raw: Tensor
    log_prob: Tensor


class CouplingNets(nn.Module):
    """The nets s and t of one coupling, evaluated as one batched net.

    Each has two hidden layers with layer normalisation and ReLU, and a linear output.

    Args:
        inputs: Coordinates passed through, plus the size of a context.
        hidden_units: k.
        outputs: Coordinates transformed.
    """

    def __init__(self, inputs: int, hidden_units: int, outputs: int) -> None:
        super().__init__()
        self.hidden_units = hidden_units
        for layer, rows in enumerate((inputs, hidden_units)):
            bound = 1 / math.sqrt(max(1, rows))
            weight = torch.empty(2, rows, hidden_units).uniform_(-bound, bound)
            self.register_parameter(f"weight_{layer}", nn.Parameter(weight))
            bias = torch.zeros(2, 1, hidden_units)
            self.register_parameter(f"bias_{layer}", nn.Parameter(bias))
            self.register_parameter(f"gain_{layer}", nn.Parameter(torch.ones_like(bias)))
            self.register_parameter(f"offset_{layer}", nn.Parameter(torch.zeros_like(bias)))
        weight = torch.empty(2, hidden_units, outputs).uniform_(-_OUTPUT_SCALE, _OUTPUT_SCALE)
        self.weight_2 = nn.Parameter(weight)
        self.bias_2 = nn.Parameter(torch.zeros(2, 1, outputs))

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Log-scales s and translations t, both ``[B, outputs]``, at ``x`` ``[B, inputs]``."""
        own: Any = self._parameters  # by name: much quicker than as attributes
        hidden = x.expand(2, *x.shape)
        for layer in ("0", "1"):
            hidden = torch.baddbmm(own["bias_" + layer], hidden, own["weight_" + layer])
            hidden = torch.layer_norm(hidden, (self.hidden_units,))
            hidden = torch.addcmul(own["offset_" + layer], hidden, own["gain_" + layer]).relu_()
        log_scale, translation = torch.baddbmm(own["bias_2"], hidden, own["weight_2"]).unbind(0)
        return log_scale, translation


class CouplingFlow(nn.Module):
    """a = σ₀ g_K∘…∘g_2(g_1(ε) + L(s)), ε ~ N(0, I), with its exact density and inverse.

    Coupling g_k passes one half of the coordinates through and maps each of the others to
    x exp(s) + t, where s and t are nets of the first half; the halves take turns, and the first is
    the larger one of an odd m. The state enters through the translation L(s) alone. With m = 1
    nothing is left to condition on, and the policy is a Gaussian with one standard deviation.

    With ``squash`` the action is tanh(raw). A flow deals in raw actions either way, because raw
    actions are what a rollout should keep: tanh cannot be undone near ±1. Densities are those of
    the action.

    Args:
        action_dim: m.
        n_couplings: K; paper: 4, release: 8.
        hidden_units: k, width of the nets s and t; paper: 3 or 6, release: 3.
        log_scale_bound: If given, each s is bounded to ± this by a tanh.
        init_std: σ₀: at first actions are N(0, σ₀² I), or nearly.
        squash: Actions are tanh of raw actions, in (-1, 1).
        context_dim: Size of features of the state that s and t are given too (an extension).
    """

    def __init__(
        self,
        action_dim: int,
        n_couplings: int = 4,
        hidden_units: int = 3,
        *,
        log_scale_bound: float | None = None,
        init_std: float = 1.0,
        squash: bool = False,
        context_dim: int = 0,
    ) -> None:
        super().__init__()
        self.action_dim, self.n_couplings = action_dim, n_couplings
        self.context_dim = context_dim
        self.log_scale_bound, self.init_std, self.squash = log_scale_bound, init_std, squash
        self._halves = [action_dim - action_dim // 2, action_dim // 2]
        self._log_normaliser = action_dim * (_LOG_SQRT_2PI + math.log(init_std))
        self.couplings = nn.ModuleList()
        # Beside the registered modules, a plain list with gaps: where half of the coordinates is
        # none (m = 1), a coupling transforms nothing.
        self._by_index: list[CouplingNets | None] = []
        for index in range(n_couplings):
            passed, transformed = self._halves[index % 2], self._halves[1 - index % 2]
            nets = CouplingNets(passed + context_dim, hidden_units, transformed)
            self._by_index.append(nets if transformed else None)
        self.couplings.extend(nets for nets in self._by_index if nets is not None)

    def forward(self, noise: Tensor, shift: Tensor, context: Tensor | None = None) -> FlowSample:
        """Map noise to raw actions; their log density comes with the same pass.

        Args:
            noise: ε, ``[B, m]``.
            shift: L(s), ``[B, m]``.
            context: ``[B, context]``, if the flow was made with one.
        """
        halves = list(noise.split(self._halves, -1))
        scales: list[Tensor] = []
        for index in range(self.n_couplings):
            nets = self._by_index[index]
            if nets is not None:
                scale, translation = self._scale_and_shift(nets, halves[index % 2], context)
                transformed = 1 - index % 2
                halves[transformed] = torch.addcmul(translation, halves[transformed], scale.exp())
                scales.append(scale)
            if index == 0:
                shifts = shift.split(self._halves, -1)
                halves = [half + part for half, part in zip(halves, shifts, strict=True)]
        raw = self._scaled(torch.cat(halves, -1))
        return FlowSample(raw, self._log_density(noise, scales) - self._log_jacobian(raw))

    def inverse(
        self, raw: Tensor, shift: Tensor, context: Tensor | None = None
    ) -> tuple[Tensor, list[Tensor]]:
        """The noise that gives ``raw``, and the log-scales s met on the way.

        Args:
            raw: ``[B, m]``.
            shift: L(s), ``[B, m]``.
            context: ``[B, context]``, if the flow was made with one.

        Returns:
            ε ``[B, m]``, and tensors ``[B, transformed]``, the last coupling's first.
        """
        if self.init_std != 1.0:
            raw = raw / self.init_std
        halves = list(raw.split(self._halves, -1))
        scales: list[Tensor] = []
        for index in reversed(range(self.n_couplings)):
            if index == 0:
                shifts = shift.split(self._halves, -1)
                halves = [half - part for half, part in zip(halves, shifts, strict=True)]
            nets = self._by_index[index]
            if nets is not None:
                scale, translation = self._scale_and_shift(nets, halves[index % 2], context)
                transformed = 1 - index % 2
                halves[transformed] = (halves[transformed] - translation) * (-scale).exp()
                scales.append(scale)
        return torch.cat(halves, -1), scales

    def log_prob(self, raw: Tensor, shift: Tensor, context: Tensor | None = None) -> Tensor:
        """Log density ``[B]`` of the action whose raw form is ``raw``; see ``inverse``."""
        noise, scales = self.inverse(raw, shift, context)
        return self._log_density(noise, scales) - self._log_jacobian(raw)

    def to_action(self, raw: Tensor) -> Tensor:
        """The action of a raw action."""
        return torch.tanh(raw) if self.squash else raw

    def to_raw(self, action: Tensor) -> Tensor:
        """The raw action of an action; at ±1, which tanh never reaches, of the nearest inside."""
        if not self.squash:
            return action
        limit = 1 - torch.finfo(action.dtype).eps
        return torch.atanh(action.clamp(-limit, limit))

    @classmethod
    def of(
        cls, settings: Mapping[str, Any], obs_dim: int, action_dim: int, squash: bool = False
    ) -> Self:
        """The flow that a config asks for, by ``FLOW_SETTINGS`` and ``init_std``."""
        return cls(
            action_dim,
            settings["n_couplings"],
            settings["coupling_units"],
            log_scale_bound=settings["log_scale_bound"],
            init_std=settings["init_std"],
            squash=squash,
            context_dim=obs_dim if settings["state_in_couplings"] else 0,
        )

    def _scale_and_shift(
        self, nets: CouplingNets, x: Tensor, context: Tensor | None
    ) -> tuple[Tensor, Tensor]:
        if context is not None:
            x = torch.cat((x, context), -1)
        scale, translation = nets(x)
        if self.log_scale_bound is not None:
            scale = self.log_scale_bound * torch.tanh(scale / self.log_scale_bound)
        return scale, translation

    def _scaled(self, x: Tensor) -> Tensor:
        return x if self.init_std == 1.0 else self.init_std * x

    def _log_density(self, noise: Tensor, scales: list[Tensor]) -> Tensor:
        exponent = -0.5 * noise.square().sum(-1) - self._log_normaliser
        return exponent - torch.cat(scales, -1).sum(-1) if scales else exponent

    def _log_jacobian(self, raw: Tensor) -> Tensor | float:
        """Log |d action / d raw|, ``[B]``."""
        return log_tanh_slope(raw) if self.squash else 0.0
