"""Diversity is all you need."""

import math
from collections.abc import Mapping, Sequence

import torch
from torch import Tensor
from torch.nn import functional

from expedition.algorithms.core.networks import MLP
from expedition.algorithms.core.whitening import Whitening
from expedition.algorithms.intrinsic.reward import IntrinsicOutput, IntrinsicReward


class DIAYNReward(IntrinsicReward):
    """Bonus log d(z|s') - log p(z): states pay if they tell which skill z led to them.

    Source: Eysenbach et al. 2019, eq. 3; p(z) = 1/n.

    Args:
        whiten: Selects and scales the coordinates that skills may differ in.
        num_skills: n, the width of the one-hot context.
        hidden: Widths of the discriminator.
    """

    def __init__(self, whiten: Whitening, num_skills: int, hidden: Sequence[int]) -> None:
        super().__init__()
        self.whiten = whiten
        self.discriminator = MLP((whiten.dim, *hidden, num_skills))
        self._log_skills = math.log(num_skills)

    def evaluate(
        self, batch: Mapping[str, Tensor], generator: torch.Generator | None = None
    ) -> IntrinsicOutput:
        """Bonus, and the discriminator's cross-entropy."""
        logits = self.discriminator(self.whiten(batch["next_obs"]))
        log_d = (functional.log_softmax(logits, 1) * batch["context"]).sum(1)
        return IntrinsicOutput(log_d.detach() + self._log_skills, -log_d.mean())
