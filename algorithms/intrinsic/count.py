"""Bonus from visit counts of a grid."""

from collections.abc import Mapping, Sequence
from typing import Literal

import torch
from torch import Tensor

from expedition.algorithms.intrinsic.reward import IntrinsicOutput, IntrinsicReward

CountForm = Literal["log", "inverse_root"]

# Odd constants of the splitmix64 generator; as signed 64-bit numbers, because torch has no
# unsigned ones. Products wrap around, which is what mixes.
_STRIDE = -7046029254386353131
_MIX = -4658895280553007687


class CountReward(IntrinsicReward):
    """Bonus that falls with the number of visits to the cell of s.

    ``"log"``: -log(N(cell) / steps), minus the log of the empirical visitation (paper, sec. 5).
    ``"inverse_root"``: 1 / sqrt(N(cell)) (released code). An unseen cell counts as seen once.

    Cells are unbounded: their integer coordinates are hashed into a table. Two of V visited cells
    share an entry with probability below V / table size.

    Args:
        indices: Observation coordinates that span the grid; ``None`` for all.
        bin_width: Width of a cell in the units of the observation.
        form: See above.
        table_bits: Log2 of the table's size.
    """

    counts: Tensor
    steps: Tensor

    def __init__(
        self,
        indices: Sequence[int] | None,
        bin_width: float,
        form: CountForm,
        table_bits: int = 20,
    ) -> None:
        super().__init__()
        self.indices = None if indices is None else list(indices)
        self.bin_width = bin_width
        self.form = form
        self.table_bits = table_bits
        self.register_buffer("counts", torch.zeros(2**table_bits))
        self.register_buffer("steps", torch.zeros(()))

    def observe(self, batch: Mapping[str, Tensor]) -> None:
        """Count the states that the transitions start from."""
        entries = self._entries(batch["obs"])
        self.counts.index_add_(0, entries, torch.ones_like(entries, dtype=torch.float32))
        self.steps += len(entries)

    def evaluate(
        self, batch: Mapping[str, Tensor], generator: torch.Generator | None = None
    ) -> IntrinsicOutput:
        """The bonus by the counts so far; nothing to learn."""
        counts = self.counts[self._entries(batch["obs"])].clamp(min=1)
        if self.form == "inverse_root":
            return IntrinsicOutput(counts.rsqrt(), None)
        return IntrinsicOutput(self.steps.clamp(min=1).log() - counts.log(), None)

    def _entries(self, obs: Tensor) -> Tensor:
        states = obs if self.indices is None else obs[:, self.indices]
        key = torch.zeros(len(states), dtype=torch.int64, device=states.device)
        for cell in torch.floor(states / self.bin_width).long().unbind(1):
            key = (key + cell) * _STRIDE + cell
            key = (key ^ (key >> 29)) * _MIX
        return (key ^ (key >> 32)) & (2**self.table_bits - 1)
