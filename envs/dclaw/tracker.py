"""How the valve is explored: how far it is turned, and the entropy of its angle."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from expedition.envs.dclaw.turning import RECENT_EPISODES, OpenTurns, Turn
from expedition.envs.histogram import RecentStates, entropy

COSINE, SINE = 9, 10  # indices of the observation
BINS = 36  # of 10 degrees; the paper does not give a width
RECENT_STEPS = 5_000  # states behind the entropy of a learning curve: 100 episodes


class ValveTracker:
    """Coverage tracker of the valve's angle.

    Metrics, the first four as means over the last 100 episodes:

    - ``rotations``: sum of the changes of angle over an episode, without sign, in full turns.
    - ``max_positive``: furthest counter-clockwise that the valve was in an episode (rad from its
      start, unwrapped).
    - ``max_negative``: furthest clockwise (rad, as a positive number).
    - ``max_angle``: the larger of the two in each episode.
    - ``angle_entropy``: plug-in entropy (nats) of the angle over the last 5000 steps, in 36 bins.

    Trackers that saw disjoint experience (the runners of one trial) merge: "last" then means the
    last of each runner, and the 5000 steps are shared between the runners. No metric depends on the
    order of merging. Episodes that are still open count in the entropy only, and stay with the
    tracker that saw them begin.
    """

    def __init__(self) -> None:
        self._visits = np.zeros(BINS, dtype=np.int64)
        self._recent = RecentStates(RECENT_STEPS, dimensions=1)  # bins, not angles
        # One row an episode, oldest first; this tracker's own, then the merged ones.
        self._logs = [np.zeros((0, len(Turn._fields)))]
        self._open = OpenTurns()

    def update(self, states: NDArray[np.floating], ends: NDArray[np.bool_]) -> None:
        """Take in T successive steps of n copies of the environment.

        Args:
            states: Observations reached, shape (T, n, d >= 11). True final observations at episode
                ends.
            ends: Whether the step ended its episode, shape (T, n).

        Raises:
            ValueError: If the shapes do not fit, or n is not that of episodes begun before.
        """
        states = np.asarray(states, dtype=np.float64)
        ends = np.asarray(ends, dtype=bool)
        if ends.ndim != 2 or states.shape[:-1] != ends.shape or states.shape[-1] <= SINE:
            raise ValueError(
                f"expected states (T, n, d > {SINE}) and ends (T, n), got {states.shape} "
                f"and {ends.shape}"
            )
        angles = np.arctan2(states[..., SINE], states[..., COSINE])
        # The remainder folds an angle of exactly pi onto -pi.
        bins = np.floor(angles * (BINS / (2.0 * math.pi))).astype(np.int64) % BINS
        self._visits += np.bincount(bins.ravel(), minlength=BINS)
        self._recent.add(bins.reshape(-1, 1))
        turns = [self._logs[0]]
        for step_angles, step_ends in zip(angles, ends, strict=True):
            self._open.add(step_angles)
            turns += [np.array([self._open.close(i)]) for i in np.flatnonzero(step_ends).tolist()]
        self._logs[0] = np.concatenate(turns)[-RECENT_EPISODES:]

    def merge(self, other: ValveTracker) -> None:
        """Add what another tracker saw."""
        self._visits = self._visits + other._visits
        self._recent.merge(other._recent)
        self._logs.extend(other._logs)  # arrays are replaced, never written into

    def metrics(self) -> dict[str, float]:
        """Evaluate all metrics of the class docstring."""
        episodes = np.concatenate(self._logs)
        rotations, positive, negative = episodes.T
        recent = self._recent.states().astype(np.int64).ravel()
        return {
            "rotations": _mean(rotations),
            "max_positive": _mean(positive),
            "max_negative": _mean(negative),
            "max_angle": _mean(np.maximum(positive, negative)),
            "angle_entropy": entropy(np.bincount(recent, minlength=BINS)),
        }

    def arrays(self) -> dict[str, NDArray[Any]]:
        """Visits of all steps.

        Returns:
            ``visits`` (36,) counts of the angle from -pi to pi, and ``edges_0`` (37,) in rad.
        """
        edges = np.linspace(-math.pi, math.pi, BINS + 1)
        return {"visits": np.roll(self._visits, BINS // 2), "edges_0": edges}

    def state_dict(self) -> dict[str, Any]:
        """Everything seen, open episodes included."""
        return {
            "visits": self._visits.copy(),
            "recent": self._recent.state_dict(),
            "logs": [log.copy() for log in self._logs],
            "open": self._open.state_dict(),
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Take up a state of :meth:`state_dict`."""
        self._visits = np.array(state["visits"], dtype=np.int64)
        self._recent.load_state_dict(state["recent"])
        self._logs = [np.array(log).reshape(-1, len(Turn._fields)) for log in state["logs"]]
        self._open.load_state_dict(state["open"])


def _mean(values: NDArray[np.float64]) -> float:
    # fsum rounds once, so the order of merged logs does not show in the last bit.
    return math.fsum(values) / values.size if values.size else 0.0
