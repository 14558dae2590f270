"""What native vector environments share: who is reset, and every copy's own random numbers."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from gymnasium.utils import seeding
from numpy.typing import NDArray

from expedition.envs.plain_state import pack, unpack

Seed = int | Sequence[int | None] | None
Flags = NDArray[np.bool_]


def reset_mask(options: dict[str, Any] | None, copies: int) -> Flags:
    """Which copies a reset is for: all, or those of ``options["reset_mask"]``, shape (n,).

    Raises:
        ValueError: If the mask is not of n booleans.
    """
    mask = np.asarray((options or {}).get("reset_mask", np.ones(copies, dtype=bool)))
    if mask.shape != (copies,) or mask.dtype != bool:
        raise ValueError(f"reset_mask must hold {copies} booleans, got {mask!r}")
    return mask


class CopyGenerators:
    """A random generator for every copy, seeded as ``SyncVectorEnv`` seeds its environments.

    Args:
        copies: Number of copies n.
    """

    def __init__(self, copies: int) -> None:
        self._generators: list[np.random.Generator | None] = [None] * copies

    def seed(self, seed: Seed, mask: Flags) -> None:
        """Seed the copies that are reset.

        Args:
            seed: Copy i gets ``seed + i``; or one seed for each copy. ``None`` goes on drawing.
            mask: Which copies, shape (n,).

        Raises:
            ValueError: If there is not one seed for each copy.
        """
        copies = len(self._generators)
        if isinstance(seed, int | np.integer):
            seed = [int(seed) + copy for copy in range(copies)]
        if seed is not None and len(seed) != copies:
            raise ValueError(f"expected {copies} seeds, got {len(seed)}")
        for copy in map(int, np.flatnonzero(mask)):
            own = None if seed is None else seed[copy]
            if own is not None or self._generators[copy] is None:
                self._generators[copy] = seeding.np_random(own)[0]

    def of(self, mask: Flags) -> list[np.random.Generator]:
        """The generators of some copies, in their order."""
        return [g for g, chosen in zip(self._generators, mask, strict=True) if g and chosen]

    def packed(self) -> Any:
        """The generators' states as plain data."""
        return pack(self._generators, "generators")

    def load(self, packed: Any) -> None:
        """Take up what :meth:`packed` returned for as many copies."""
        self._generators = unpack(packed, self._generators, "generators")
