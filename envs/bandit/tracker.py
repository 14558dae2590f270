"""How close the actions taken in a Gaussian bandit come to its optimal policy."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from expedition.envs.histogram import RecentStates

RECENT_ACTIONS = 2_000  # standard error of the divergence about 0.03 nats
NEIGHBOUR = 4  # whose distance the entropy is estimated from
MIN_ACTIONS = 10
_TINY = 1e-12  # distance between equal actions, as clipping makes them

Array = NDArray[np.float64]


class ActionTracker:
    """Compares the last 2000 actions with a Gaussian around 0.

    Metrics, all 0 before there are ten actions:

    - ``correlation``: of the two components.
    - ``kl_to_optimum``: estimate (nats) of KL(policy || optimum). The optimum's density is known;
      the policy's entropy is estimated from distances to fourth-nearest neighbours. Where many
      actions are equal, as after clipping, the entropy has no bound from below and the estimate is
      large.
    - ``action_std``: root mean square of the standard deviations of the components.

    Args:
        optimum: Covariance of the optimal policy, shape (2, 2).
    """

    def __init__(self, optimum: Array) -> None:
        self._optimum = np.array(optimum)
        self._actions = RecentStates(RECENT_ACTIONS, dimensions=2)

    def update(self, states: NDArray[np.floating], ends: NDArray[np.bool_]) -> None:
        """Take in T successive episodes of n bandits.

        Args:
            states: Observations, shape (T, n, 3); the action is at 1 and 2.
            ends: Whether each step ended an episode, shape (T, n); all do.
        """
        self._actions.add(np.asarray(states, dtype=np.float64)[..., 1:3].reshape(-1, 2))

    def merge(self, other: ActionTracker) -> None:
        """Add what another tracker of the same optimum saw.

        Raises:
            ValueError: If it has another optimum.
        """
        if not np.array_equal(other._optimum, self._optimum):
            raise ValueError("cannot merge trackers of different optima")
        self._actions.merge(other._actions)

    def metrics(self) -> dict[str, float]:
        """Evaluate the metrics of the class docstring."""
        actions = self._sorted()
        if len(actions) < MIN_ACTIONS:
            return dict.fromkeys(("correlation", "kl_to_optimum", "action_std"), 0.0)
        (xx, xy), (_, yy) = np.cov(actions.T)
        spread = math.sqrt(xx * yy)
        return {
            "correlation": float(xy) / spread if spread > 0.0 else 0.0,
            "kl_to_optimum": -self._log_density(actions) - neighbour_entropy(actions),
            "action_std": math.sqrt((xx + yy) / 2.0),
        }

    def arrays(self) -> dict[str, Array]:
        """``actions`` (N, 2), the last ones in no order, and ``optimum`` (2, 2), a covariance."""
        return {"actions": self._sorted(), "optimum": self._optimum.copy()}

    def state_dict(self) -> dict[str, Any]:
        """The last actions."""
        return {"actions": self._actions.state_dict()}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Take up a state of :meth:`state_dict` of the same optimum."""
        self._actions.load_state_dict(state["actions"])

    def _sorted(self) -> Array:
        """The actions in an order that does not depend on that of merging, shape (N, 2)."""
        actions = self._actions.states()
        return actions[np.lexsort(actions.T)]

    def _log_density(self, actions: Array) -> float:
        """Mean log-density of actions (N, 2) under the optimum, nats."""
        precision = np.linalg.inv(self._optimum)
        forms = np.einsum("ni,ij,nj->n", actions, precision, actions)
        scale = 2.0 * math.pi * math.sqrt(np.linalg.det(self._optimum))
        return -0.5 * float(forms.mean()) - math.log(scale)


def neighbour_entropy(points: Array) -> float:
    """Differential entropy of the distribution in the plane that points were drawn from.

    Args:
        points: Shape (N > 4, 2).

    Returns:
        Nats. Source: Kozachenko and Leonenko 1987, with the fourth-nearest neighbour.
    """
    count = len(points)
    x, y = points.T
    squared = np.square(x[:, None] - x) + np.square(y[:, None] - y)
    # Each point is its own nearest.
    nearest = np.partition(squared, NEIGHBOUR, axis=1)[:, NEIGHBOUR]
    radius = np.log(np.maximum(np.sqrt(nearest), _TINY))
    harmonic = float((1.0 / np.arange(NEIGHBOUR, count)).sum())  # psi(count) - psi(NEIGHBOUR)
    return harmonic + math.log(math.pi) + 2.0 * float(radius.mean())
