"""Intervals: values by hand, agreement with rliable, repeatability."""

from __future__ import annotations

import numpy as np
import pytest
from rliable import metrics

from expedition.platform import statistics
from expedition.platform.statistics import Interval

A_RT = np.array([[0.5, 0.9], [0.6, 0.8], [0.7, 0.7], [0.9, 0.6]])
B_RT = np.array([[0.1, 0.3], [0.3, 0.2], [0.2, 0.1]])


def test_estimates_are_means_within_their_intervals() -> None:
    estimate = statistics.interval(A_RT)
    assert estimate.point == pytest.approx(0.7125)
    assert A_RT.min() <= estimate.low < estimate.point < estimate.high <= A_RT.max()


def test_iqm_is_rliables() -> None:
    scores = np.random.default_rng(0).normal(size=(5, 3))
    assert statistics.iqm(scores) == pytest.approx(metrics.aggregate_iqm(scores))
    assert statistics.iqm(np.array([[0.0], [1.0], [2.0], [30.0]])) == 1.5


def test_probability_of_improvement_is_rliables() -> None:
    rng = np.random.default_rng(1)
    a, b = rng.normal(0.5, 1, (5, 3)), rng.normal(0, 1, (4, 3))
    ours = statistics.probability_of_improvement(a, b)
    assert ours.point == pytest.approx(metrics.probability_of_improvement(a, b))
    assert 0 <= ours.low <= ours.point <= ours.high <= 1


def test_probability_counts_ties_half_and_takes_infinities() -> None:
    never = np.full((3, 1), -np.inf)
    early = np.array([[-10.0], [-20.0], [-30.0]])
    assert statistics.probability_of_improvement(never, never) == Interval(0.5, 0.5, 0.5)
    assert statistics.probability_of_improvement(early, never) == Interval(1.0, 1.0, 1.0)


def test_differences_and_ratios() -> None:
    gap = statistics.difference(A_RT, B_RT)
    assert gap.point == pytest.approx(0.7125 - 0.2)
    assert gap.low > 0.3
    assert statistics.difference(A_RT, B_RT, scale=2).point == pytest.approx(0.3125)
    assert statistics.ratio(A_RT, B_RT).point == pytest.approx(0.7125 / 0.2)
    assert statistics.ratio(A_RT, 0 * B_RT).point == np.inf


def test_won_tasks_are_those_where_no_more_than_the_rank_allows_are_ahead() -> None:
    first = np.array([[1.0, 1.0, 1.0], [1.0, 1.0, 1.2]])
    low, equal = np.zeros((3, 3)), np.array([[2.0, 0.0, 1.0], [2.0, 0.0, 1.2]])
    assert statistics.tasks_won(first, [low]) == Interval(3.0, 3.0, 3.0)
    won = statistics.tasks_won(first, [low, equal])
    # Ahead on the first, behind on the second; the third is a tie, undecided when resampled.
    assert (won.point, won.low, won.high) == (1.0, 1.0, 2.0)
    assert statistics.tasks_won(first, [low, equal], rank=2) == Interval(3.0, 3.0, 3.0)


def test_interval_covers_the_true_mean_about_as_often_as_it_says() -> None:
    rng = np.random.default_rng(2)
    hits = 0
    for seed in range(60):
        estimate = statistics.interval(rng.normal(size=(20, 1)), reps=200, seed=seed)
        hits += estimate.low <= 0 <= estimate.high
    assert hits >= 50


def test_strata_are_resampled_apart() -> None:
    # Tasks far apart: a bootstrap that mixed them would be as wide as their distance.
    scores = np.array([[0.0, 100.0], [0.1, 100.1], [0.2, 100.2]])
    estimate = statistics.interval(scores)
    assert estimate.high - estimate.low < 0.25


def test_repeatable_and_leaves_the_global_generator_alone() -> None:
    scores = np.random.default_rng(3).normal(size=(7, 2))
    np.random.seed(5)
    expected = np.random.random(3)
    np.random.seed(5)
    first = statistics.interval(scores)
    np.testing.assert_array_equal(np.random.random(3), expected)
    assert statistics.interval(scores) == first
    assert statistics.interval(scores, seed=1) != first


def test_one_seed_has_no_width() -> None:
    assert statistics.interval(np.array([[0.5]])) == Interval(0.5, 0.5, 0.5)


@pytest.mark.parametrize("scores", [np.empty((0, 1)), np.zeros(3), np.array([[np.nan]])])
def test_refuses_what_is_not_a_score_matrix(scores: np.ndarray) -> None:
    with pytest.raises(ValueError, match="scores must"):
        statistics.interval(scores)


@pytest.mark.parametrize(
    ("estimate", "text"),
    [
        (Interval(0.138, 0.0953, 0.178), "0.138 [0.095, 0.178]"),
        (Interval(0.5, 0.5, 0.5), "0.500"),
        (Interval(0.0, 0.0, 0.0), "0"),
        (Interval(1234.4, 1200.0, 1300.0), "1234 [1200, 1300]"),
        (Interval(-2.0, -3.0, -1.0), "-2.00 [-3.00, -1.00]"),
        (Interval(np.inf, 2.0, np.inf), "inf [2.00, inf]"),
    ],
)
def test_intervals_are_written_with_equal_decimals(estimate: Interval, text: str) -> None:
    assert str(estimate) == text


def test_curves_on_common_steps_are_left_alone() -> None:
    steps = np.array([1.0, 2.0, 3.0])
    grid, curves = statistics.on_grid([(steps, steps), (steps, 2 * steps)])
    np.testing.assert_array_equal(grid, steps)
    np.testing.assert_array_equal(curves, [[1, 2, 3], [2, 4, 6]])


def test_curves_on_other_steps_are_interpolated_where_all_have_values() -> None:
    long = (np.array([0.0, 10.0, 20.0]), np.array([0.0, 1.0, 2.0]))
    short = (np.array([5.0, 15.0]), np.array([3.0, 4.0]))
    grid, curves = statistics.on_grid([long, short], points=11)
    assert (grid[0], grid[-1], len(grid)) == (5.0, 15.0, 11)
    np.testing.assert_allclose(curves[0], grid / 10)
    np.testing.assert_allclose(curves[1], 3 + (grid - 5) / 10)


def test_band_surrounds_the_mean() -> None:
    curves = np.array([[0.0, 1.0], [1.0, 3.0], [2.0, 5.0]])
    mean, low, high = statistics.band(curves)
    np.testing.assert_allclose(mean, [1.0, 3.0])
    assert (low < mean).all()
    assert (mean < high).all()
    alone, same, _ = statistics.band(curves[:1])
    np.testing.assert_array_equal(alone, same)
