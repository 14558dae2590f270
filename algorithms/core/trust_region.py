"""One step of trust-region policy optimisation: search direction, length, and backtracking.

Everything is batched over independent problems: vectors are ``[*, P]`` and scalars ``[*]`` with the
same leading axes, none for a single problem. All of it is float64, whatever the networks are: the
constraint is a small difference of nearly equal numbers.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple, Protocol

import torch
from torch import Tensor

Product = Callable[[Tensor], Tensor]


class Objective(Protocol):
    """A loss to lower and a divergence to bound, around the parameters the data came from.

    Attributes:
        loss: At those parameters, ``[*]``.
        gradient: Of the loss, ``[*, P]``.
    """

    loss: Tensor
    gradient: Tensor

    def fisher_product(self, vector: Tensor) -> Tensor:
        """Hessian of the divergence times ``vector``, both ``[*, P]``."""
        ...

    def evaluate(self, flat: Tensor) -> tuple[Tensor, Tensor]:
        """Loss and divergence ``[*]`` at other parameters ``[*, P]``; nothing is changed."""
        ...


@dataclass(frozen=True)
class TrustRegion:
    """Settings of a step.

    Attributes:
        max_kl: Bound on the divergence, nats (δ).
        cg_iterations: Iterations of conjugate gradient.
        damping: Multiple of the identity added to the Hessian for them.
        backtracks: Step lengths tried.
        backtrack_ratio: Each is this multiple of the one before.
    """

    max_kl: float = 0.01
    cg_iterations: int = 10
    damping: float = 1e-5
    backtracks: int = 15
    backtrack_ratio: float = 0.8


class Step(NamedTuple):
    """Outcome of a step: ``parameters`` ``[*, P]``, the rest ``[*]``.

    Where no length was accepted, the parameters are the old ones and ``kl`` is 0.
    """

    parameters: Tensor
    accepted: Tensor
    loss_before: Tensor
    loss_after: Tensor
    kl: Tensor
    backtracks: Tensor


def trust_region_step(objective: Objective, start: Tensor, region: TrustRegion) -> Step:
    """Lower a loss as far as the divergence allows.

    The direction x solves (H + damping I) x = g; its length is sqrt(2 δ / x'Hx), where the
    quadratic model of the divergence meets its bound; the line search takes the first multiple that
    lowers the loss within the bound. Numbers that are not finite are never accepted.

    Args:
        objective: The problem at ``start``.
        start: The old parameters, ``[*, P]``.
        region: Settings.

    Source: Schulman et al. 2015, arXiv:1502.05477, app. C.
    """
    gradient = objective.gradient

    def damped(vector: Tensor) -> Tensor:
        return objective.fisher_product(vector) + region.damping * vector

    direction = conjugate_gradient(damped, gradient, region.cg_iterations)
    curvature = (direction * objective.fisher_product(direction)).sum(-1, keepdim=True)
    length = torch.sqrt(2 * region.max_kl / (curvature + 1e-8)).nan_to_num(nan=1.0)
    return line_search(objective, start, -length * direction, region)


def conjugate_gradient(
    product: Product, target: Tensor, iterations: int, tolerance: float = 1e-10
) -> Tensor:
    """Solve H x = target for a positive definite H by conjugate gradient.

    Args:
        product: H times a vector ``[*, P]``.
        target: ``[*, P]``.
        iterations: Most steps made.
        tolerance: A problem is done when its squared residual is below.

    Returns:
        x ``[*, P]``. A problem also stops where the curvature is not positive.
    """
    x = torch.zeros_like(target)
    residual, direction = target.clone(), target.clone()
    square = residual.square().sum(-1, keepdim=True)
    active = square >= tolerance
    for _ in range(iterations):
        if not active.any():
            break
        image = product(direction)
        curvature = (direction * image).sum(-1, keepdim=True)
        active = active & (curvature > 0)
        step = torch.where(active, square / curvature, 0.0)
        x = x + step * direction
        residual = residual - step * image
        new_square = residual.square().sum(-1, keepdim=True)
        direction = torch.where(active, residual + new_square / square * direction, direction)
        square = torch.where(active, new_square, square)
        active = active & (square >= tolerance)
    return x


def line_search(objective: Objective, start: Tensor, step: Tensor, region: TrustRegion) -> Step:
    """Take the longest of ``start + ratio^j step`` that lowers the loss within the bound.

    Args:
        objective: The problem at ``start``.
        start: ``[*, P]``.
        step: The full step, ``[*, P]``.
        region: Settings.
    """
    before = torch.as_tensor(objective.loss, dtype=torch.float64, device=start.device)
    chosen, after = start.clone(), before.clone()
    kl, tries = torch.zeros_like(before), torch.zeros_like(before)
    accepted = torch.zeros_like(before, dtype=torch.bool)
    for power in range(region.backtracks):
        candidate = start + region.backtrack_ratio**power * step
        loss, divergence = (
            torch.as_tensor(value, dtype=torch.float64, device=start.device)
            for value in objective.evaluate(candidate)
        )
        # Comparisons with NaN are false.
        better = (loss < before) & (divergence <= region.max_kl) & ~accepted
        chosen = torch.where(better.unsqueeze(-1), candidate, chosen)
        after = torch.where(better, loss, after)
        kl = torch.where(better, divergence, kl)
        tries = torch.where(better, float(power), tries)
        accepted = accepted | better
        if accepted.all():
            break
    return Step(chosen, accepted, before, after, kl, tries)


class FisherProduct:
    """J'FJv exactly: J the Jacobian of a distribution's parameters, F their Fisher information.

    At the parameters that the data came from, the first derivative of the divergence in the
    distribution's parameters is zero, so that this is the divergence's Hessian: positive
    semi-definite, and without second derivatives of the network. J'u is reverse mode; it is linear
    in u, so that its own reverse mode gives Jv. Both reuse one graph.

    Args:
        outputs: The distribution's parameters at every sample, with their graph.
        information: Diagonal of F times the sample's weight in the mean, of the outputs' shapes or
            broadcast to them.
        parameters: What J differentiates with respect to.
        batch_dims: Leading axes of the parameters that count independent problems.
    """

    def __init__(
        self,
        outputs: Sequence[Tensor],
        information: Sequence[Tensor],
        parameters: Sequence[Tensor],
        batch_dims: int = 0,
    ) -> None:
        self._outputs = list(outputs)
        self._information = [value.detach() for value in information]
        self._parameters = list(parameters)
        self._batch_dims = batch_dims
        self._cotangents = [torch.zeros_like(output).requires_grad_() for output in outputs]
        self._linear = self._pull_back(self._cotangents, create_graph=True)

    def __call__(self, vector: Tensor) -> Tensor:
        """Multiply ``vector`` ``[*, P]`` by the matrix."""
        shaped = unflattened(vector, self._parameters, self._batch_dims)
        tangents = torch.autograd.grad(self._linear, self._cotangents, shaped, retain_graph=True)
        weighted = [i * t for i, t in zip(self._information, tangents, strict=True)]
        return flattened(self._pull_back(weighted), self._batch_dims)

    def _pull_back(
        self, cotangents: Sequence[Tensor], create_graph: bool = False
    ) -> tuple[Tensor, ...]:
        return torch.autograd.grad(
            self._outputs,
            self._parameters,
            cotangents,
            retain_graph=True,
            create_graph=create_graph,
            allow_unused=True,
            materialize_grads=True,
        )


def flattened(tensors: Sequence[Tensor] | Mapping[str, Tensor], batch_dims: int = 0) -> Tensor:
    """Lay tensors ``[*, ...]`` side by side as float64 rows ``[*, P]``."""
    values = tensors.values() if isinstance(tensors, Mapping) else tensors
    rows = [value.detach().double().reshape(*value.shape[:batch_dims], -1) for value in values]
    return torch.cat(rows, -1)


def unflattened(flat: Tensor, like: Sequence[Tensor], batch_dims: int = 0) -> list[Tensor]:
    """Cut rows ``[*, P]`` into tensors of the shapes and types of ``like``."""
    parts = flat.split([value[(0,) * batch_dims].numel() for value in like], -1)
    return [
        part.reshape(value.shape).to(value.dtype) for part, value in zip(parts, like, strict=True)
    ]


@torch.no_grad()
def assign(parameters: Sequence[Tensor], flat: Tensor, batch_dims: int = 0) -> None:
    """Write rows ``[*, P]`` into parameters."""
    for value, new in zip(parameters, unflattened(flat, parameters, batch_dims), strict=True):
        value.copy_(new)
