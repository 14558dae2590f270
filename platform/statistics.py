"""Intervals from few seeds: stratified bootstrap over seeds within tasks, by rliable.

Shapes: R runs (seeds), T tasks, E points of a curve.

Source: Agarwal et al. 2021, "Deep Reinforcement Learning at the Edge of the Statistical
Precipice", arXiv:2108.13264.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass

import numpy as np

REPS = 2000
CONFIDENCE = 0.95
SEED = 0

Aggregate = Callable[[np.ndarray], np.ndarray]


@dataclass(frozen=True)
class Interval:
    """A point estimate and its 95 % bootstrap interval, in the unit of the scores.

    Attributes:
        point: The estimate from the data.
        low: Lower end of the interval.
        high: Upper end of the interval.
    """

    point: float
    low: float
    high: float

    def __str__(self) -> str:
        """Write ``0.610 [0.572, 0.655]``; only the point where the ends coincide with it."""
        ends = [end for end in (self.point, self.low, self.high) if np.isfinite(end)]
        largest = max((abs(end) for end in ends), default=0.0)
        decimals = max(0, 2 - int(np.floor(np.log10(largest)))) if largest > 0 else 0
        if self.low == self.high == self.point:
            return f"{self.point:.{decimals}f}"
        return f"{self.point:.{decimals}f} [{self.low:.{decimals}f}, {self.high:.{decimals}f}]"

    def to_dict(self) -> dict[str, float]:
        """Return plain numbers for JSON."""
        return asdict(self)


@contextmanager
def _seeded(seed: int) -> Iterator[None]:
    """Make rliable repeatable and leave the caller's global generator untouched.

    rliable 1.2.0 draws its resamples from ``numpy.random`` and ignores ``random_state``.
    """
    state = np.random.get_state()
    np.random.seed(seed)
    try:
        yield
    finally:
        np.random.set_state(state)


def mean(scores_RT: np.ndarray) -> float:  # noqa: N803
    """Mean over seeds, then over tasks, of scores of shape [R, T]."""
    return float(scores_RT.mean(axis=0).mean())


def iqm(scores_RT: np.ndarray) -> float:  # noqa: N803
    """Interquartile mean over all seeds and tasks together, of scores of shape [R, T].

    Equal to ``rliable.metrics.aggregate_iqm``, whose SciPy call takes half a millisecond: too long
    for every resample of every cell of a table.
    """
    ordered = np.sort(scores_RT, axis=None)
    cut = ordered.size // 4
    return float(ordered[cut : ordered.size - cut].mean())


def interval(
    scores_RT: np.ndarray,  # noqa: N803
    aggregate: Callable[[np.ndarray], float] = mean,
    *,
    reps: int = REPS,
    seed: int = SEED,
) -> Interval:
    """Estimate an aggregate score.

    Args:
        scores_RT: Shape [R, T], finite.
        aggregate: :func:`mean` or :func:`iqm`.
        reps: Bootstrap resamples.
        seed: Of the resamples.

    Returns:
        The estimate; its interval is the point itself when there is one seed.

    Raises:
        ValueError: There is no score, or one is not finite.
    """
    return _estimate([_checked(scores_RT)], aggregate, reps, seed)


def difference(
    a_RT: np.ndarray,  # noqa: N803
    b_RT: np.ndarray,  # noqa: N803
    *,
    scale: float = 1.0,
    reps: int = REPS,
    seed: int = SEED,
) -> Interval:
    """Estimate mean(a) - scale * mean(b); the seeds of a and b are resampled independently.

    Args:
        a_RT: Shape [R, T], finite.
        b_RT: Shape [R', T], finite, the same tasks.
        scale: Factor of b. ``scale=2`` asks whether a is at least twice b, without dividing.
        reps: Bootstrap resamples.
        seed: Of the resamples.
    """
    pair = [_checked(a_RT), _checked(b_RT)]
    return _estimate(pair, lambda a, b: mean(a) - scale * mean(b), reps, seed)


def ratio(
    a_RT: np.ndarray,  # noqa: N803
    b_RT: np.ndarray,  # noqa: N803
    *,
    reps: int = REPS,
    seed: int = SEED,
) -> Interval:
    """Estimate mean(a) / mean(b); infinite where mean(b) is 0.

    Args:
        a_RT: Shape [R, T], finite.
        b_RT: Shape [R', T], finite, the same tasks.
        reps: Bootstrap resamples.
        seed: Of the resamples.
    """
    pair = [_checked(a_RT), _checked(b_RT)]
    return _estimate(pair, _quotient, reps, seed)


def probability_of_improvement(
    a_RT: np.ndarray,  # noqa: N803
    b_RT: np.ndarray,  # noqa: N803
    *,
    reps: int = REPS,
    seed: int = SEED,
) -> Interval:
    """Estimate P(a run of a scores above a run of b), averaged over tasks; ties count half.

    Args:
        a_RT: Shape [R, T]; only the order matters, so infinities may stand for "never".
        b_RT: Shape [R', T], the same tasks.
        reps: Bootstrap resamples.
        seed: Of the resamples.
    """
    both = np.concatenate([np.ravel(a_RT), np.ravel(b_RT)])
    _, ranks = np.unique(both, return_inverse=True)
    a_ranks, b_ranks = np.split(ranks.astype(float), [np.size(a_RT)])
    pair = [_checked(a_ranks.reshape(np.shape(a_RT))), _checked(b_ranks.reshape(np.shape(b_RT)))]
    return _estimate(pair, _probability, reps, seed)


def tasks_won(
    first_RT: np.ndarray,  # noqa: N803
    others_RT: Sequence[np.ndarray],  # noqa: N803
    *,
    rank: int = 1,
    reps: int = REPS,
    seed: int = SEED,
) -> Interval:
    """Estimate the number of tasks on which a method's mean is among the best; a tie is lost.

    Args:
        first_RT: Scores of the method, shape [R, T], higher is better.
        others_RT: Scores of each of the others, shape [R', T], the same tasks.
        rank: How many may be ahead, itself included: 1 for the best alone.
        reps: Bootstrap resamples, of the seeds of each method and task independently.
        seed: Of the resamples.
    """
    rng = np.random.default_rng(seed)
    means = []  # each [1 + reps, T], the data's own first
    for scores in map(_checked, (first_RT, *others_RT)):
        picks = rng.integers(len(scores), size=(reps, *scores.shape))
        resampled = np.take_along_axis(scores[None], picks, axis=1).mean(axis=1)
        means.append(np.concatenate([scores.mean(axis=0, keepdims=True), resampled]))
    ahead = np.sum([other >= means[0] for other in means[1:]], axis=0)
    won = (ahead < rank).sum(axis=1)
    tail = 50 * (1 - CONFIDENCE)
    low, high = np.percentile(won[1:], [tail, 100 - tail], method="closest_observation")
    return Interval(float(won[0]), float(low), float(high))


def band(
    curves_RE: np.ndarray,  # noqa: N803
    *,
    reps: int = 500,
    seed: int = SEED,
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Estimate the mean curve of one variant on one task.

    Args:
        curves_RE: Shape [R, E], the curves of the seeds on a common grid (:func:`on_grid`).
        reps: Bootstrap resamples; bands need fewer than verdicts.
        seed: Of the resamples.

    Returns:
        Mean, lower and upper end of the pointwise interval, each of shape [E].
    """
    curves = _checked(curves_RE)
    if len(curves) == 1:
        return curves[0], curves[0], curves[0]
    rng = np.random.default_rng(seed)
    # Whole curves are resampled: rliable would draw seeds anew at every point and the band would
    # be ragged. One task, so there is nothing to stratify.
    picks = rng.integers(len(curves), size=(reps, len(curves)))
    means = curves[picks].mean(axis=1)
    tail = 50 * (1 - CONFIDENCE)
    low, high = np.percentile(means, [tail, 100 - tail], axis=0)
    return curves.mean(axis=0), low, high


def on_grid(
    curves: Sequence[tuple[np.ndarray, np.ndarray]], points: int = 120
) -> tuple[np.ndarray, np.ndarray]:
    """Interpolate curves to common environment steps.

    The grid covers what every curve covers: beyond the shortest one the mean would be over fewer
    seeds and jump. With curves measured at the same steps those steps are the grid.

    Args:
        curves: ``(env_steps [E_r], values [E_r])`` of each seed, steps increasing.
        points: Points of the grid when the curves were measured at different steps.

    Returns:
        Grid of shape [E] and curves of shape [R, E].
    """
    first = np.asarray(curves[0][0], float)
    if all(np.array_equal(steps, first) for steps, _ in curves):
        return first, np.stack([np.asarray(values, float) for _, values in curves])
    start = max(steps[0] for steps, _ in curves)
    end = min(steps[-1] for steps, _ in curves)
    grid = np.linspace(start, max(start, end), points if end > start else 1)
    return grid, np.stack([np.interp(grid, steps, values) for steps, values in curves])


def _estimate(
    samples: list[np.ndarray], function: Callable[..., float], reps: int, seed: int
) -> Interval:
    """Run rliable's bootstrap on one sample, or on independent ones."""
    point = float(function(*samples))
    if all(len(sample) == 1 for sample in samples):
        return Interval(point, point, point)
    from rliable import library  # here: trials need the interquartile mean, not all of its imports

    scores = samples[0] if len(samples) == 1 else samples
    with _seeded(seed), np.errstate(invalid="ignore"):
        _, intervals = library.get_interval_estimates(
            {"": scores},
            lambda *arrays: np.array([function(*arrays)]),
            reps=reps,
            confidence_interval_size=CONFIDENCE,
        )
    low, high = intervals[""][:, 0]
    return Interval(point, float(low), float(high))


def _quotient(a: np.ndarray, b: np.ndarray) -> float:
    top, bottom = mean(a), mean(b)
    if bottom == 0:
        return float("inf") if top > 0 else 1.0 if top == 0 else float("-inf")
    return top / bottom


def _probability(a: np.ndarray, b: np.ndarray) -> float:
    """P(a > b) + P(a = b) / 2 within each task, averaged over tasks."""
    above = np.sign(a[:, None, :] - b[None, :, :])
    return float(((above + 1) / 2).mean())


def _checked(scores: np.ndarray) -> np.ndarray:
    scores = np.asarray(scores, float)
    if scores.ndim != 2 or not scores.size:
        raise ValueError(f"scores must have shape [runs, tasks], got {scores.shape}")
    if not np.isfinite(scores).all():
        raise ValueError("scores must be finite; leave trials without a score out")
    return scores
