"""States of every skill, uniform over the history, for the discriminator to learn from."""

from typing import Any

import numpy as np
import torch
from torch import Tensor


class StatePool:
    """One reservoir a skill: after t states of a skill each of them is in with chance K / t.

    Uniform over history, because d must model the same average over past policies that the
    components' replays hold; balanced over skills, because p(z) is uniform.
    Source: Vitter 1985, algorithm R.

    Args:
        skills: n.
        size: K, states kept of each.
        dim: Width of a state.
        seed: Of eviction and of batches.
    """

    def __init__(self, skills: int, size: int, dim: int, seed: int) -> None:
        self._states = np.zeros((skills, size, dim), np.float32)
        self._seen = np.zeros(skills, np.int64)
        self._rng = np.random.default_rng(seed)

    def __len__(self) -> int:
        """States kept of the skill that has fewest."""
        return int(min(self._seen.min(), self._states.shape[1]))

    def add(self, skill: int, states: np.ndarray) -> None:
        """Show states ``[N, dim]`` of one skill, in the order in which they were visited."""
        size = self._states.shape[1]
        arrival = self._seen[skill] + np.arange(len(states))
        place = np.where(arrival < size, arrival, self._rng.integers(0, arrival + 1))
        kept = place < size
        self._states[skill, place[kept]] = states[kept]  # of equal places the last state stays
        self._seen[skill] += len(states)

    def sample(self, batch_size: int) -> tuple[Tensor, Tensor]:
        """States ``[B, dim]`` and their skills ``[B]``, equally many of each (up to one).

        Which skills have one more is drawn anew for every batch.
        """
        first = self._rng.integers(len(self._seen))
        skills = (first + np.arange(batch_size)) % len(self._seen)
        filled = np.minimum(self._seen, self._states.shape[1])
        rows = self._rng.integers(0, filled[skills])
        return torch.from_numpy(self._states[skills, rows]), torch.from_numpy(skills)

    def state_dict(self) -> dict[str, Any]:
        """Filled rows, counts and generator state."""
        filled = int(min(self._seen.max(), self._states.shape[1]))
        return {
            "states": self._states[:, :filled].copy(),
            "seen": self._seen.copy(),
            "generator": self._rng.bit_generator.state,
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Restore what ``state_dict`` returned."""
        states = state["states"]
        self._states[:, : states.shape[1]] = states
        self._seen = np.array(state["seen"])
        self._rng.bit_generator.state = state["generator"]
