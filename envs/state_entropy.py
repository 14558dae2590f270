"""A coverage tracker for any environment: the entropy of chosen state coordinates."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from expedition.envs.histogram import RecentStates, StateHistogram, corrected_entropy, entropy


class StateEntropyTracker:
    """Counts visits to a grid over some coordinates of the state.

    Metrics:

    - ``state_entropy``: plug-in entropy (nats) over the most recent states, so that the points of a
      learning curve have one sample size.
    - ``state_entropy_corrected``: the same with the Miller-Madow bias correction.
    - ``state_entropy_lifetime``: plug-in entropy over all states.
    - ``bins_visited``: number of bins ever visited.

    Args:
        axes: Indices of the coordinates to count, d of them.
        bin_widths: Width of the bins along each, in the state's units.
        low: Lower end of the grid of :meth:`arrays` along each axis. Metrics count states outside.
        high: Upper end.
        recent_states: Number of states behind ``state_entropy``.

    Raises:
        ValueError: If the arguments are not of one length, or a width is not positive.

    Example:
        >>> tracker = StateEntropyTracker([0], [1.0], low=[0.0], high=[4.0])
        >>> tracker.update(np.array([[[0.5]], [[2.5]]]), np.array([[False], [True]]))
        >>> tracker.arrays()["visits"].tolist()
        [1, 0, 1, 0]
    """

    def __init__(
        self,
        axes: Sequence[int],
        bin_widths: Sequence[float],
        *,
        low: Sequence[float],
        high: Sequence[float],
        recent_states: int = 5_000,
    ) -> None:
        if not len(axes) == len(bin_widths) == len(low) == len(high):
            raise ValueError(
                "axes, bin_widths, low and high must be of one length, got "
                f"{len(axes)}, {len(bin_widths)}, {len(low)} and {len(high)}"
            )
        self._axes, self._low, self._high = list(axes), list(low), list(high)
        self._visits = StateHistogram(bin_widths)
        self._recent = RecentStates(recent_states, len(axes))

    def update(self, states: NDArray[np.floating], ends: NDArray[np.bool_]) -> None:
        """Count T successive states of n environment copies.

        Args:
            states: Shape (T, n, state dimensions).
            ends: Shape (T, n); not needed here.
        """
        chosen = np.asarray(states)[..., self._axes].reshape(-1, len(self._axes))
        self._visits.add(chosen)
        self._recent.add(chosen)

    def merge(self, other: StateEntropyTracker) -> None:
        """Add what another tracker of the same coordinates saw.

        Raises:
            ValueError: If the other tracker counts other coordinates or bins.
        """
        if other._axes != self._axes:
            raise ValueError(f"cannot merge axes {other._axes} into axes {self._axes}")
        self._visits.merge(other._visits)
        self._recent.merge(other._recent)

    def metrics(self) -> dict[str, float]:
        """Evaluate the metrics of the class docstring."""
        recent = StateHistogram(self._visits.bin_widths)
        recent.add(self._recent.states())
        return {
            "state_entropy": entropy(recent.counts),
            "state_entropy_corrected": corrected_entropy(recent.counts),
            "state_entropy_lifetime": entropy(self._visits.counts),
            "bins_visited": float(len(self._visits.counts)),
        }

    def arrays(self) -> dict[str, NDArray[Any]]:
        """Visits of all steps.

        Returns:
            ``visits``, one dimension an axis, and ``edges_0``, ``edges_1``, ... (``x_edges`` and
            ``y_edges`` if there are two axes, as heat maps expect).
        """
        edges = self._visits.edges(self._low, self._high)
        planar = ["x_edges", "y_edges"]
        names = planar if len(edges) == 2 else [f"edges_{i}" for i in range(len(edges))]
        visits = self._visits.dense(self._low, self._high)
        return {"visits": visits, **dict(zip(names, edges, strict=True))}

    def state_dict(self) -> dict[str, Any]:
        """Everything seen."""
        return {"visits": self._visits.state_dict(), "recent": self._recent.state_dict()}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Take up a state of :meth:`state_dict` of the same coordinates."""
        self._visits.load_state_dict(state["visits"])
        self._recent.load_state_dict(state["recent"])
