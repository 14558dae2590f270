"""Bonus from pseudo-counts of a density model."""

from collections.abc import Mapping

import torch
from torch import Tensor, nn

from expedition.algorithms.core.whitening import Whitening
from expedition.algorithms.smm.density import DensityModel


class PseudocountReward(nn.Module):
    """Bonus (N̂ + k)^-1/2 with N̂ = 1 / (exp(c n^-1/2 PG) - 1).

    PG is the prediction gain: by how much log q(s) rises, if at all, when the density model
    learns from s once; n is the number of states so far. A bonus is computed once, when its state
    is new, and stored: this is not a reward to be computed again for a replayed transition.
    Source: Bellemare et al. 2016, eq. 3, with the decay of Ostrovski et al. 2017, eq. 5; k = 0
    and c = 1 in the released code of Lee et al., k = 0.01 and c = 0.1 in Ostrovski et al.

    Args:
        density: Model of the states.
        whiten: Selects and scales the coordinates it models.
        scale: c.
        smoothing: k.
    """

    steps: Tensor

    def __init__(
        self, density: DensityModel, whiten: Whitening, scale: float, smoothing: float
    ) -> None:
        super().__init__()
        self.density = density
        self.whiten = whiten
        self.scale = scale
        self.smoothing = smoothing
        self.register_buffer("steps", torch.zeros(()))

    def recode(
        self, batch: Mapping[str, Tensor], optimizer: torch.optim.Optimizer | None
    ) -> Tensor:
        """Learn from new states, one step for all of them together, and return their bonus.

        With one state at a time this is the definition. With several the gain of each includes
        what the model learned from the others.

        Args:
            batch: New transitions, ``obs`` ``[N, obs]``.
            optimizer: Of the density's parameters; ``None`` if it learns by counting.

        Returns:
            ``[N]``.
        """
        states = self.whiten(batch["obs"])
        skills = states.new_zeros(len(states), 0)
        noise = self.density.typical_noise(states)
        before = self.density.evaluate(states, skills, noise=noise)
        if optimizer is None or before.loss is None:
            self.density.observe(states, skills)
        else:
            optimizer.zero_grad(set_to_none=True)
            before.loss.backward()
            optimizer.step()
        self.steps += len(states)
        with torch.no_grad():
            after = self.density.evaluate(states, skills, noise=noise)
            return self.bonus(after.log_prob - before.log_prob)

    def bonus(self, prediction_gain: Tensor) -> Tensor:
        """(N̂ + k)^-1/2 ``[N]``; 0 where nothing was gained, which is an infinite count.

        Raises:
            FloatingPointError: If a gain is so large that the bonus has no number.
        """
        gain = self.scale * self.steps.rsqrt() * prediction_gain.clamp(min=0)
        bonus = (torch.expm1(gain).reciprocal() + self.smoothing).rsqrt()
        if not torch.isfinite(bonus).all():
            raise FloatingPointError(
                f"a prediction gain of {float(prediction_gain.max()):.3g} nats has no finite "
                "pseudo-count bonus: use density='vae_code', or pseudocount_scale=0.1 with "
                "pseudocount_smoothing=0.01"
            )
        return bonus
