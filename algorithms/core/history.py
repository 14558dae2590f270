"""Historical averaging: the answer of fictitious play is an average over past policies."""

from typing import Any

import numpy as np
from ray.rllib.utils.typing import StateDict


class PolicyHistory:
    """Keeps snapshots of the policy and draws the ensemble that an evaluation averages over.

    Source: Lee et al., app. D.2 (weighting, number of policies); the base, the chance of the
    newest policy and the draw without replacement are the released code's.

    Args:
        size: Policies in the ensemble (N), the newest always among them.
        weighting: ``"exponential"``: snapshot i of a run has weight base^i; ``"uniform"``;
            ``"last"``: only the N newest.
        base: Of the exponential weighting.
        newest_probability: Chance that an episode uses the newest policy; otherwise one of the
            ensemble is drawn uniformly.
    """

    def __init__(self, size: int, weighting: str, base: float, newest_probability: float) -> None:
        self.size = size
        self.weighting = weighting
        self.base = base
        self.newest_probability = newest_probability
        self.snapshots: list[StateDict] = []

    def add(self, weights: StateDict) -> None:
        """Keep a snapshot; snapshots are in the order of training."""
        self.snapshots.append(weights)

    def plan(
        self, newest: StateDict, episodes: int, rng: np.random.Generator
    ) -> list[tuple[StateDict, int]]:
        """Draw an ensemble and share out episodes, each drawing its policy independently.

        Args:
            newest: The current policy.
            episodes: Episodes to share out.
            rng: Source of both draws.

        Returns:
            Policies with a positive number of episodes, the numbers summing to ``episodes``.
        """
        ensemble = [self.snapshots[i] for i in self._draw(rng)] + [newest]
        chances = np.full(len(ensemble), (1 - self.newest_probability) / len(ensemble))
        chances[-1] += self.newest_probability
        counts = rng.multinomial(episodes, chances)
        return [(w, int(n)) for w, n in zip(ensemble, counts, strict=True) if n]

    def state_dict(self) -> dict[str, Any]:
        """The snapshots."""
        return {"snapshots": list(self.snapshots)}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Restore what ``state_dict`` returned."""
        self.snapshots = list(state["snapshots"])

    def _draw(self, rng: np.random.Generator) -> np.ndarray:
        """Indices of N - 1 snapshots, without replacement, in order."""
        past = len(self.snapshots)
        if self.weighting == "exponential":
            weights = self.base ** np.arange(past, dtype=float)
        elif self.weighting == "uniform":
            weights = np.ones(past)
        else:
            weights = (np.arange(past) >= past - (self.size - 1)).astype(float)
        count = min(self.size - 1, int(np.count_nonzero(weights)))
        if count == 0:
            return np.empty(0, dtype=int)
        return np.sort(rng.choice(past, count, replace=False, p=weights / weights.sum()))
