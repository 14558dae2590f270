import numpy as np
import pytest

from expedition.envs.histogram import (
    RecentStates,
    StateHistogram,
    corrected_entropy,
    entropy,
)


def test_entropy_of_known_counts():
    assert entropy(np.array([7])) == 0.0
    assert entropy(np.array([], dtype=int)) == 0.0
    assert entropy(np.array([[3, 3], [0, 6]])) == pytest.approx(1.5 * np.log(2))
    assert entropy(np.full(50, 4)) == pytest.approx(np.log(50))
    assert corrected_entropy(np.array([2, 2])) == pytest.approx(np.log(2) + 1 / 8)
    assert corrected_entropy(np.array([], dtype=int)) == 0.0


def test_the_correction_removes_most_of_the_bias():
    rng = np.random.default_rng(0)
    counts = rng.multinomial(400, np.full(100, 0.01), size=200)
    plain = np.mean([entropy(c) for c in counts]) - np.log(100)
    corrected = np.mean([corrected_entropy(c) for c in counts]) - np.log(100)
    assert plain == pytest.approx(-99 / 800, abs=0.02)
    assert abs(corrected) < 0.02


def test_bins_hold_their_lower_edge_on_both_sides_of_zero():
    histogram = StateHistogram([0.5, 2.0])
    histogram.add(np.array([[0.0, 0.0], [0.49, 1.9], [-0.01, -2.0], [0.5, 2.0], [0.7, 3.9]]))
    assert histogram.bins.tolist() == [[-1, -1], [0, 0], [1, 1]]
    assert histogram.counts.tolist() == [1, 2, 2]
    assert histogram.total == 5


def test_adding_in_parts_equals_numpy():
    states = np.random.default_rng(1).normal(size=(40_000, 2))  # more than are kept uncounted
    histogram = StateHistogram([0.25, 0.25])
    for part in np.array_split(states, 13):
        histogram.add(part)
    x_edges, y_edges = histogram.edges([-1.0, -2.0], [1.0, 2.0])
    expected, *_ = np.histogram2d(*states.T, bins=[x_edges, y_edges])
    assert np.array_equal(histogram.dense([-1.0, -2.0], [1.0, 2.0]), expected)
    assert histogram.total == 40_000


def test_merging_equals_adding_both():
    rng = np.random.default_rng(2)
    first, second = rng.normal(size=(2, 300, 3))
    a, b, both = (StateHistogram([1.0, 0.5, 0.2]) for _ in range(3))
    a.add(first)
    b.add(second)
    both.add(np.concatenate([second, first]))
    a.merge(b)
    assert np.array_equal(a.bins, both.bins)
    assert np.array_equal(a.counts, both.counts)
    with pytest.raises(ValueError, match="cannot merge bins of widths"):
        a.merge(StateHistogram([1.0, 0.5, 0.1]))


def test_coarsened_bins_equal_wide_bins():
    states = np.random.default_rng(3).normal(scale=4.0, size=(500, 2))
    fine, wide = StateHistogram([0.5, 0.5]), StateHistogram([1.0, 1.0])
    fine.add(states)
    wide.add(states)
    coarse = fine.coarsened(2)
    assert np.array_equal(coarse.bins, wide.bins)
    assert np.array_equal(coarse.counts, wide.counts)


def test_histogram_state():
    histogram, copy = StateHistogram([1.0]), StateHistogram([1.0])
    histogram.add(np.array([[0.5], [1.5], [1.6]]))
    copy.add(np.array([[9.0]]))
    copy.load_state_dict(histogram.state_dict())
    for each in (histogram, copy):
        each.add(np.array([[1.7]]))
        assert each.counts.tolist() == [1, 3]


@pytest.mark.parametrize("widths", [[0.0], [1.0, -1.0], [float("nan")]])
def test_bin_widths_must_be_positive(widths):
    with pytest.raises(ValueError, match="bin_widths must be positive"):
        StateHistogram(widths)


@pytest.mark.parametrize(
    ("size", "lengths", "kept"),
    [
        (10, [100, 100, 100], [3, 3, 3]),
        (12, [2, 100, 100], [2, 5, 5]),
        (12, [100, 2, 3], [7, 2, 3]),
        (12, [4, 2, 3], [4, 2, 3]),
        (12, [0, 20], [0, 12]),
    ],
)
def test_a_short_stream_leaves_its_room_to_the_longer_ones(size, lengths, kept):
    window = RecentStates(size, 1)
    for stream, length in enumerate(lengths):
        other = RecentStates(size, 1)
        other.add(stream + np.linspace(0.0, 0.5, length)[:, None])
        window.merge(other)
    owners = np.floor(window.states().ravel()).astype(int)
    assert np.bincount(owners, minlength=len(lengths)).tolist() == kept


def test_recent_states_share_the_window_between_streams():
    first, second = RecentStates(6, 1), RecentStates(6, 1)
    first.add(np.arange(10.0)[:, None])
    assert first.states().ravel().tolist() == [4, 5, 6, 7, 8, 9]
    second.add(np.arange(100.0, 105.0)[:, None])
    second.merge(RecentStates(6, 1))  # an unfed stream takes no share
    first.merge(second)
    assert sorted(first.states().ravel()) == [7, 8, 9, 102, 103, 104]
    copy = RecentStates(6, 1)
    copy.load_state_dict(first.state_dict())
    copy.add(np.array([[10.0]]))
    assert sorted(copy.states().ravel()) == [8, 9, 10, 102, 103, 104]
    assert RecentStates(6, 2).states().shape == (0, 2)
