"""The ratio surrogate of a policy gradient, and its divergence from the policy that acted."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import torch
from torch import Tensor

from expedition.algorithms.core.gaussian_policy import Gaussian, Parameters
from expedition.algorithms.core.trust_region import FisherProduct, Product, flattened, unflattened

Distribution = Callable[[Parameters], Gaussian]


@dataclass
class Samples:
    """Actions that a policy took, and how much each counts.

    Leading axes ``*`` of all of them are those of the independent problems, none for one problem;
    ``...`` are the samples of a problem.

    Attributes:
        actions: ``[*, ..., action]``.
        advantages: ``[*, ...]``.
        old: The Gaussians they were drawn from.
        loss_weights: Share of each sample in the loss, ``[*, ...]``; a problem's sum to 1.
        kl_weights: Share of each sample in the divergence, likewise.
    """

    actions: Tensor
    advantages: Tensor
    old: Gaussian
    loss_weights: Tensor
    kl_weights: Tensor


class SurrogateObjective:
    """Loss -Σ w ρ A + penalty and divergence Σ w KL(old ‖ new), for ``trust_region_step``.

    ρ is the ratio of new to old probability of the action. The divergence is taken relative to the
    policy that acted, as recorded; it is zero at the start, which is checked.

    Args:
        parameters: What is learned, at the values that acted.
        distribution: The policy at all samples, as a function of such parameters.
        samples: What was sampled.
        penalty: Added to the loss, ``[*]``, a function of the parameters.
        batch_dims: Number of axes ``*``, in the parameters as in the samples.
        fisher: The policy at the samples that the curvature is measured on, and their shares;
            all samples when not given.
        product: Product of a vector with the Hessian of the divergence, where a policy has a
            faster one than autograd's.
        rounding: Nats by which the policy may differ from the one that acted.

    Raises:
        ValueError: If the parameters do not give the distributions recorded.

    Source: Schulman et al. 2015, arXiv:1502.05477, eq. 14.
    """

    def __init__(
        self,
        parameters: Mapping[str, Tensor],
        distribution: Distribution,
        samples: Samples,
        *,
        penalty: Callable[[Parameters], Tensor] | None = None,
        batch_dims: int = 0,
        fisher: tuple[Distribution, Tensor] | None = None,
        product: Product | None = None,
        rounding: float = 1e-8,
    ) -> None:
        self._names = list(parameters)
        self._values = [value.detach().requires_grad_() for value in parameters.values()]
        self._distribution, self._samples = distribution, samples
        self._old_log_prob = samples.old.log_prob(samples.actions)
        self._penalty, self._batch_dims = penalty, batch_dims
        own = self._named(self._values)
        now = distribution(own)
        loss = self._loss(now, own)
        self.start = flattened(self._values, batch_dims)
        self.loss = loss.detach().double()
        self._check(self._divergence(now.detached()), rounding)
        keep = fisher is None and product is None
        gradient = torch.autograd.grad(loss.sum(), self._values, retain_graph=keep)
        self.gradient = flattened(gradient, batch_dims)
        weights = samples.kl_weights
        if fisher is not None:
            now, weights = fisher[0](own), fisher[1]
        self._fisher = product or self._product(now, weights)

    def fisher_product(self, vector: Tensor) -> Tensor:
        """Hessian of the divergence at the start times ``vector``, both ``[*, P]``."""
        return self._fisher(vector)

    @torch.no_grad()
    def evaluate(self, flat: Tensor) -> tuple[Tensor, Tensor]:
        """Loss and divergence ``[*]`` at other parameters ``[*, P]``."""
        own = self.unpacked(flat)
        new = self._distribution(own)
        return self._loss(new, own).double(), self._divergence(new)

    def unpacked(self, flat: Tensor) -> dict[str, Tensor]:
        """Parameters by name from their flat form ``[*, P]``."""
        return self._named(unflattened(flat, self._values, self._batch_dims))

    def _named(self, values: list[Tensor]) -> dict[str, Tensor]:
        return dict(zip(self._names, values, strict=True))

    def _loss(self, new: Gaussian, parameters: Parameters) -> Tensor:
        samples = self._samples
        ratio = (new.log_prob(samples.actions) - self._old_log_prob).exp()
        loss = -self._summed(samples.loss_weights * ratio * samples.advantages)
        return loss if self._penalty is None else loss + self._penalty(parameters)

    def _divergence(self, new: Gaussian) -> Tensor:
        return self._summed(self._samples.kl_weights * self._samples.old.kl_to(new))

    def _summed(self, values: Tensor) -> Tensor:
        return values.sum(tuple(range(self._batch_dims, values.dim())))

    def _product(self, now: Gaussian, weights: Tensor) -> FisherProduct:
        shares = weights.unsqueeze(-1)
        # A standard deviation of many samples is one number: its information is their sum.
        log_std_shares = shares.sum_to_size(*now.log_std.shape[:-1], 1)
        information = [shares * (-2 * now.log_std.detach()).exp(), 2 * log_std_shares]
        return FisherProduct(now, information, self._values, self._batch_dims)

    @staticmethod
    def _check(divergence: Tensor, rounding: float) -> None:
        if not (divergence < rounding).all():
            raise ValueError(
                f"the policy is {divergence.max():.3g} nats from the one that acted, not 0: its "
                "observations, latents or parameters are not those of the samples"
            )
