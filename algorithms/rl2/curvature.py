"""Curvature of the recurrent policy's divergence, through time."""

import torch
from torch import Tensor
from torch.nn.functional import linear

from expedition.algorithms.core.gaussian_policy import MIN_LOG_STD
from expedition.algorithms.core.trust_region import flattened, unflattened
from expedition.algorithms.rl2.policy import RecurrentPolicy

Named = dict[str, Tensor]

_IN, _HIDDEN = ("gru.weight_ih_l0", "gru.bias_ih_l0"), ("gru.weight_hh_l0", "gru.bias_hh_l0")
_MEAN = ("mean.weight", "mean.bias")


class RecurrentFisher:
    """J'FJv of a recurrent policy over whole trials, as ``core.trust_region.FisherProduct``.

    Both ways through time are written out. The hidden states are computed once; a product then is
    one small matrix product and a few elementwise operations a step each way, and whatever does not
    recur is done for all steps at once. Autograd would go through every gate of every step twice.

    The GRU is h' = f + u (h - f) with f = tanh(i + r c), r and u the sigmoids of gates that sum up
    input and state, i a sum of the input, and c of the state h before. A change of h' is that of
    the two gates and of c, times the three ``gains``, that of i times ``through``, and u times that
    of h.

    Args:
        policy: At the parameters that acted.
        inputs: ``[T, n, obs + action + 2]``.
        weights: Share of each step in the divergence, ``[T, n]``.
    """

    @torch.no_grad()
    def __init__(self, policy: RecurrentPolicy, inputs: Tensor, weights: Tensor) -> None:
        own = {name: value.detach() for name, value in policy.named_parameters()}
        self._own, self._inputs = own, inputs
        self._after = policy.gru(inputs)[0]
        self._before = torch.cat([torch.zeros_like(self._after[:1]), self._after[:-1]])
        self._both = torch.cat([inputs, self._before], -1)
        gates, of_input, of_state = self._sums(own)
        reset, update = gates.sigmoid().chunk(2, -1)
        fresh = (of_input + reset * of_state).tanh()
        self._through = (1 - update) * (1 - fresh.square())
        of_reset = self._through * of_state * reset * (1 - reset)
        of_update = (self._before - fresh) * update * (1 - update)
        self._gains = torch.stack([of_reset, of_update, self._through * reset], -2)
        self._steps = list(zip(update, self._gains, strict=True))
        log_std = own["log_std"]
        precision = (-2 * log_std.clamp_min(MIN_LOG_STD)).exp()
        self._mean_information = weights.unsqueeze(-1) * precision
        self._log_std_information = 2 * weights.sum() * (log_std >= MIN_LOG_STD)

    @torch.no_grad()
    def __call__(self, vector: Tensor) -> Tensor:
        """Multiply ``vector`` ``[P]``, in the order of ``named_parameters``, by the matrix."""
        parts = unflattened(vector, list(self._own.values()))
        change = dict(zip(self._own, parts, strict=True))
        product = self._pulled_back(self._mean_information * self._mean_tangents(change))
        product["log_std"] = self._log_std_information * change["log_std"]
        return flattened([product[name] for name in self._own])

    def _sums(self, parameters: Named) -> tuple[Tensor, Tensor, Tensor]:
        """Both gates before their sigmoids ``[T, n, 2 H]``, and i and c, ``[T, n, H]``."""
        (weight, bias), (carry, carry_bias) = (
            [parameters[name] for name in names] for names in (_IN, _HIDDEN)
        )
        cut = 2 * self._after.shape[-1]
        joint = torch.cat([weight[:cut], carry[:cut]], 1)
        return (
            linear(self._both, joint, bias[:cut] + carry_bias[:cut]),
            linear(self._inputs, weight[cut:], bias[cut:]),
            linear(self._before, carry[cut:], carry_bias[cut:]),
        )

    def _mean_tangents(self, change: Named) -> Tensor:
        """Change of the mean actions ``[T, n, action]`` with the parameters."""
        gates, of_input, of_state = self._sums(change)
        direct = (gates.unflatten(-1, (2, -1)).mul_(self._gains[:, :, :2])).sum(-2)
        direct.addcmul_(self._through, of_input).addcmul_(self._gains[:, :, 2], of_state)
        carry = self._own[_HIDDEN[0]].T
        state, states = torch.zeros_like(direct[0]), []
        for push, (update, gains) in zip(direct, self._steps, strict=True):
            carried = (state @ carry).view_as(gains).mul_(gains)
            state = torch.addcmul(push, update, state).add_(carried.sum(1))
            states.append(state)
        weight, _ = (self._own[name] for name in _MEAN)
        own_change = linear(self._after, *(change[name] for name in _MEAN))
        return own_change + torch.stack(states) @ weight.T

    def _pulled_back(self, cotangents: Tensor) -> Named:
        """Product of the mean actions' Jacobian, transposed, with ``[T, n, action]``."""
        carry = self._own[_HIDDEN[0]]
        pulled = cotangents @ self._own[_MEAN[0]]
        later, gained = torch.zeros_like(pulled[0]), torch.empty_like(self._gains)
        for t in reversed(range(len(pulled))):
            update, gains = self._steps[t]
            pulled[t] += later
            torch.mul(gains, pulled[t].unsqueeze(1), out=gained[t])
            later = torch.addmm(update * pulled[t], gained[t].flatten(1), carry)
        of_gates, of_state = (part.flatten(2).flatten(0, 1) for part in gained.split([2, 1], dim=2))
        of_input = pulled.mul_(self._through).flatten(0, 1)
        inputs, before, both = (
            rows.flatten(0, 1) for rows in (self._inputs, self._before, self._both)
        )
        weights, carries = (of_gates.T @ both).split([inputs.shape[1], before.shape[1]], 1)
        biases = of_gates.sum(0)
        return {
            _IN[0]: torch.cat([weights, of_input.T @ inputs]),
            _IN[1]: torch.cat([biases, of_input.sum(0)]),
            _HIDDEN[0]: torch.cat([carries, of_state.T @ before]),
            _HIDDEN[1]: torch.cat([biases, of_state.sum(0)]),
            _MEAN[0]: cotangents.flatten(0, 1).T @ self._after.flatten(0, 1),
            _MEAN[1]: cotangents.sum((0, 1)),
        }
