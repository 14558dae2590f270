"""How like the expert's a learner's actions are, in the states that the expert was in."""

from collections.abc import Callable, Sequence

import numpy as np

MAX_STATES = 5_000  # of each part of the state space
MODE_DRAWS = 5_000  # actions at one state, to count modes
_KERNEL = np.array([1.0, 4.0, 6.0, 4.0, 1.0]) / 16.0
_MIN_HEIGHT = 0.1  # of the highest, for a local maximum to count as a mode

Draw = Callable[[np.ndarray], np.ndarray]
"""Observations ``[n, obs]`` -> actions ``[n, action]``."""


class ActionComparison:
    """Compares histograms of actions, in parts of the state space.

    Args:
        observations: The expert's, ``[N, obs]``.
        actions: The expert's, in units of the bounds, ``[N, action]``.
        axis: Coordinate of an observation that parts are taken along.
        centres: Middles of the parts; none: one part, all states.
        half_width: Of every part.
        bins: Of a histogram of [-1, 1]; what is outside counts for the outermost.
        seed: Of the choice of states, where there are more than ``MAX_STATES``.

    Raises:
        ValueError: The expert was in no state of a part.
    """

    def __init__(
        self,
        observations: np.ndarray,
        actions: np.ndarray,
        *,
        axis: int = 0,
        centres: Sequence[float] = (),
        half_width: float = 0.5,
        bins: int = 20,
        seed: int = 0,
    ) -> None:
        self._axis, self._bins = axis, bins
        along = observations[:, axis]
        parts = {f"_at_{centre:g}": np.abs(along - centre) < half_width for centre in centres}
        rng = np.random.default_rng(seed)
        self._parts: dict[str, tuple[np.ndarray, np.ndarray]] = {}
        self._nearest = {
            f"_at_{centre:g}": observations[[np.abs(along - centre).argmin()]] for centre in centres
        }
        for name, is_inside in (parts or {"": np.ones(len(along), dtype=bool)}).items():
            rows = np.flatnonzero(is_inside)
            if not len(rows):
                raise ValueError(
                    f"compare_at={name.removeprefix('_at_')}: no demonstrated state lies within "
                    f"compare_half_width={half_width:g} of it; coordinate compare_axis={axis} goes "
                    f"from {along.min():g} to {along.max():g}"
                )
            if len(rows) > MAX_STATES:
                rows = np.sort(rng.choice(rows, MAX_STATES, replace=False))
            self._parts[name] = (observations[rows], actions[rows])
        # Figures show all states, those between the parts too.
        rows = np.sort(rng.permutation(len(along))[:MAX_STATES])
        self._shown = (observations[rows], actions[rows])

    def metrics(self, draw: Draw) -> dict[str, float]:
        """Compare with one action of the learner in every state.

        Returns:
            ``tv_at_<centre>``: total variation between the histograms of expert and learner, mean
            over the coordinates of an action; ``tv``: mean of these, or over all states without
            centres. ``modes_at_<centre>``: modes of the learner's actions in the one state of the
            expert that is nearest to the centre, as a policy without any may have one here and
            another there; ``expert_modes_at_<centre>``: the expert's in the part. Both of the
            coordinate that has most.
        """
        found: dict[str, float] = {}
        distances = []
        for name, (observations, actions) in self._parts.items():
            expert, learner = self._histograms(actions), self._histograms(draw(observations))
            distances.append(0.5 * np.abs(expert - learner).sum(1).mean())
            if name in self._nearest:
                found[f"tv{name}"] = float(distances[-1])
                found[f"expert_modes{name}"] = float(max(map(count_modes, expert)))
                there = np.repeat(self._nearest[name], MODE_DRAWS, axis=0)
                # Unclipped: what is clipped would pile up to modes at the bounds.
                drawn = self._histograms(draw(there), clip=False)
                found[f"modes{name}"] = float(max(map(count_modes, drawn)))
        return found | {"tv": float(np.mean(distances))}

    def pairs(self, draw: Draw) -> dict[str, np.ndarray]:
        """For figures: ``expert_actions`` and ``learner_actions``, ``[n, 1 + action]``.

        Of the same states of the expert, ``MAX_STATES`` at most; the first column is the state
        along the axis.
        """
        observations, actions = self._shown
        along = observations[:, [self._axis]]
        return {
            "expert_actions": np.concatenate([along, actions], 1),
            "learner_actions": np.concatenate([along, draw(observations)], 1),
        }

    def _histograms(self, actions: np.ndarray, clip: bool = True) -> np.ndarray:
        """Shares ``[action, bins]``, one histogram a coordinate."""
        edges = np.linspace(-1.0, 1.0, self._bins + 1)
        within = np.clip(actions, -1.0, 1.0) if clip else actions
        return np.stack([np.histogram(column, edges)[0] / len(column) for column in within.T])


def count_modes(histogram: np.ndarray) -> int:
    """Local maxima of a smoothed histogram that are at least a tenth of the highest.

    Args:
        histogram: ``[bins]``, smoothed here with the weights 1, 4, 6, 4, 1.
    """
    smooth = np.convolve(histogram, _KERNEL, mode="same")
    before, after = np.append(-1.0, smooth[:-1]), np.append(smooth[1:], -1.0)
    is_peak = (smooth > before) & (smooth >= after) & (smooth >= _MIN_HEIGHT * smooth.max())
    return int(is_peak.sum())
