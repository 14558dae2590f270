import itertools

import numpy as np
import pytest

from expedition.envs.histogram import entropy
from expedition.envs.navigation import HallGeometry, HallTracker

GEOMETRY = HallGeometry(4, 10.0)  # halls point east, north, west, south
EAST, NORTH, WEST, SOUTH = GEOMETRY.hall_ends


def feed(tracker, episodes):
    """Feed whole episodes, each a list of positions, one after another to a single copy."""
    for episode in episodes:
        states = np.array(episode, dtype=float)[:, None]
        tracker.update(states, np.arange(len(episode))[:, None] == len(episode) - 1)


def random_walk(seed, steps=400, copies=3):
    """States (steps, copies, 2) that reach hall ends now and then, and ends of episodes."""
    rng = np.random.default_rng(seed)
    hall = rng.integers(0, 4, (steps // 20, copies)).repeat(20, axis=0)
    radius = rng.uniform(0.0, 11.4, (steps, copies, 1))
    ends = rng.random((steps, copies)) < 0.05
    return radius * GEOMETRY.directions[hall], ends


def test_a_window_is_a_group_of_ten_episodes():
    tracker = HallTracker(GEOMETRY)
    feed(tracker, [[[0, 0], EAST]] * 3)
    assert tracker.metrics()["halls_window"] == 0.25  # so far
    feed(tracker, [[[0, 0]]] * 7 + [[[0, 0], NORTH]] * 5)
    assert tracker.metrics()["halls_window"] == 0.25  # the second window is not complete
    feed(tracker, [[EAST]] * 4 + [[WEST]])
    assert tracker.metrics()["halls_window"] == (0.25 + 0.75) / 2
    feed(tracker, [[[0, 0]]] * 40)
    # The last five windows: north, east and west were explored in the first of them.
    assert tracker.metrics()["halls_window"] == pytest.approx(0.75 / 5)
    assert tracker.metrics()["halls_cumulative"] == 0.75


def test_reaching_an_end_means_closer_than_half_a_unit():
    tracker = HallTracker(GEOMETRY)
    feed(tracker, [[EAST - [0.5, 0.0]], [NORTH - [0.0, 0.499]]])
    assert tracker.metrics()["halls_cumulative"] == 0.25


def test_a_visited_hall_has_a_share_of_the_recent_steps():
    tracker = HallTracker(GEOMETRY)
    inside = [5.0, 0.2]
    feed(tracker, [[EAST, inside] + [[0, 0]] * 98])
    assert tracker.metrics()["halls_visited"] == 0.25  # 2% of the steps
    feed(tracker, [[[0, 0]] * 100])
    assert tracker.metrics()["halls_visited"] == 0.25  # 1%
    feed(tracker, [[[0, 0]]])
    assert tracker.metrics()["halls_visited"] == 0.0  # just below
    feed(tracker, [[EAST, inside]] + [[[0, 0]]] * 98)
    assert tracker.metrics()["halls_visited"] == 0.25
    feed(tracker, [[[0, 0]]] * 100)
    assert tracker.metrics()["halls_visited"] == 0.0  # forgotten after a hundred episodes


def test_radii_and_entropies():
    tracker = HallTracker(GEOMETRY)
    feed(tracker, [[[3.2, 0.2], [0.2, 0.2]], [[0.2, -4.6], [0.2, -4.8]]])
    metrics = tracker.metrics()
    assert metrics["max_radius"] == pytest.approx(np.hypot(0.2, 4.8))
    assert metrics["episode_radius"] == pytest.approx((np.hypot(3.2, 0.2) + np.hypot(0.2, 4.8)) / 2)
    assert metrics["position_entropy"] == pytest.approx(entropy(np.array([1, 1, 2])))
    assert metrics["position_entropy_corrected"] == pytest.approx(
        entropy(np.array([1, 1, 2])) + 2 / 8
    )
    assert metrics["position_entropy_lifetime"] == metrics["position_entropy"]


def test_entropy_follows_the_recent_steps():
    tracker = HallTracker(GEOMETRY)
    tracker.update(*random_walk(0, copies=1))
    assert tracker.metrics()["position_entropy"] > 3.0
    tracker.update(np.zeros((5000, 1, 2)), np.zeros((5000, 1), dtype=bool))
    assert tracker.metrics()["position_entropy"] == 0.0
    assert tracker.metrics()["position_entropy_lifetime"] > 0.1


def test_arrays_count_every_visit():
    tracker = HallTracker(GEOMETRY)
    feed(tracker, [[[0.1, -0.1], [0.3, -0.4], [-3.0, 0.0]]])
    arrays = tracker.arrays()
    assert arrays["visits"].shape == (48, 48)
    assert arrays["x_edges"][[0, -1]].tolist() == [-12.0, 12.0]
    assert arrays["visits"].sum() == 3
    assert arrays["visits"][24, 23] == 2  # x in [0, 0.5), y in [-0.5, 0)
    assert arrays["visits"][18, 24] == 1


def test_splitting_the_steps_changes_nothing():
    states, ends = random_walk(1)
    whole, split = HallTracker(GEOMETRY), HallTracker(GEOMETRY)
    whole.update(states, ends)
    for part in np.split(np.arange(len(states)), [1, 2, 50, 51, 333]):
        split.update(states[part], ends[part])
    assert split.metrics() == whole.metrics()


def test_merging_is_commutative_and_associative():
    def fed(seed):
        tracker = HallTracker(GEOMETRY)
        tracker.update(*random_walk(seed))
        return tracker

    results = []
    for order in itertools.permutations(range(3)):
        left, right = fed(order[0]), fed(order[1])
        left.merge(right)
        left.merge(fed(order[2]))
        results.append(left)
        nested, pair = fed(order[0]), fed(order[1])
        pair.merge(fed(order[2]))
        nested.merge(pair)
        results.append(nested)
    for tracker in results[1:]:
        assert tracker.metrics() == results[0].metrics()
        assert np.array_equal(tracker.arrays()["visits"], results[0].arrays()["visits"])
    assert results[0].arrays()["visits"].sum() == 3 * 3 * 400


def test_merging_pools_windows_and_maxima():
    a, b = HallTracker(GEOMETRY), HallTracker(GEOMETRY)
    feed(a, [[EAST], *[[[0, 0]]] * 9])
    feed(b, [[EAST], [NORTH], [SOUTH], *[[[0, 0]]] * 17])
    a.merge(b)
    assert a.metrics()["halls_window"] == pytest.approx((0.25 + 0.75 + 0.0) / 3)
    assert a.metrics()["halls_cumulative"] == 0.75
    assert a.metrics()["max_radius"] == 11.5


def test_a_merged_tracker_does_not_follow_its_parts():
    merged, part = HallTracker(GEOMETRY), HallTracker(GEOMETRY)
    feed(part, [[EAST]])
    merged.merge(part)
    before = merged.metrics()
    feed(part, [[NORTH]] * 10)
    assert merged.metrics() == before


def test_a_checkpoint_in_the_middle_of_episodes():
    states, ends = random_walk(2)
    kept, copy = HallTracker(GEOMETRY), HallTracker(GEOMETRY)
    kept.update(states[:211], ends[:211])
    other = HallTracker(GEOMETRY)
    other.update(*random_walk(3))
    kept.merge(other)
    copy.load_state_dict(kept.state_dict())
    for tracker in (kept, copy):
        tracker.update(states[211:], ends[211:])
    assert copy.metrics() == kept.metrics()
    assert np.array_equal(copy.arrays()["visits"], kept.arrays()["visits"])


def test_a_state_shares_no_memory():
    tracker = HallTracker(GEOMETRY)
    tracker.update(*random_walk(4))
    state, before = tracker.state_dict(), tracker.metrics()
    copy = HallTracker(GEOMETRY)
    copy.load_state_dict(state)
    tracker.update(*random_walk(5))
    again = HallTracker(GEOMETRY)
    again.load_state_dict(state)
    assert copy.metrics() == again.metrics() == before


def test_metrics_before_anything_is_seen():
    assert set(HallTracker(GEOMETRY).metrics().values()) == {0.0}


def test_wrong_arguments():
    tracker = HallTracker(GEOMETRY)
    with pytest.raises(ValueError, match=r"expected states \(T, n, d >= 2\)"):
        tracker.update(np.zeros((4, 2)), np.zeros(4, dtype=bool))
    tracker.update(np.zeros((4, 2, 2)), np.zeros((4, 2), dtype=bool))
    with pytest.raises(ValueError, match="episodes of 2 environment copies are open"):
        tracker.update(np.zeros((4, 3, 2)), np.zeros((4, 3), dtype=bool))
    with pytest.raises(ValueError, match="cannot merge a tracker of"):
        tracker.merge(HallTracker(HallGeometry(5)))
