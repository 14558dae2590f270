"""Sums over an episode of each term of a reward that has several."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from expedition.envs.reward_terms import INFO_KEY


class TermSums:
    """Adds up ``info["reward_terms"]`` of n environment copies, each until its episode ends.

    Args:
        names: The terms, T; with none there is nothing to add.
        copies: n.
    """

    def __init__(self, names: Sequence[str], copies: int) -> None:
        self.names = tuple(names)
        self._sums = np.zeros((copies, len(self.names)))

    def add(self, infos: Mapping[str, Any], ends: NDArray[np.bool_]) -> None:
        """Take in one step of every copy.

        A vector environment merges infos to an array a name, 0 where a copy has none. Where an
        episode ended and the next began in the same step, the ended one's are in ``final_info``.

        Args:
            infos: Of the vector environment.
            ends: Whether the step ended its episode, ``[n]``.
        """
        steps = infos.get(INFO_KEY, {})
        final = infos.get("final_info", {}).get(INFO_KEY, {}) if ends.any() else {}
        for column, name in enumerate(self.names):
            if name in final:
                self._sums[:, column] += np.where(ends, final[name], steps.get(name, 0.0))
            else:
                self._sums[:, column] += steps[name]

    def pop(self, copy: int) -> tuple[float, ...]:
        """Sums of the episode of one copy that has ended, one a term; the next starts at 0."""
        sums = tuple(self._sums[copy].tolist())
        self._sums[copy] = 0.0
        return sums

    def clear(self) -> None:
        """Start every copy's episode anew."""
        self._sums[:] = 0.0

    def state_dict(self) -> dict[str, Any]:
        """The sums of the running episodes."""
        return {"sums": self._sums.copy()}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Restore what ``state_dict`` returned."""
        self._sums = np.array(state["sums"])
