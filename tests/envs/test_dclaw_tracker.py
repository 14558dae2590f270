import itertools
import math

import numpy as np
import pytest

from expedition.envs.dclaw import ValveTracker


def states(angles):
    """Observations of valve angles (T, n); the rest is left zero."""
    angles = np.asarray(angles, dtype=float)
    observations = np.zeros((*angles.shape, 12))
    observations[..., 9], observations[..., 10] = np.cos(angles), np.sin(angles)
    return observations


def fed(*episodes):
    """A tracker that saw episodes of one environment one after the other."""
    tracker = ValveTracker()
    for angles in episodes:
        ends = np.zeros((len(angles), 1), dtype=bool)
        ends[-1] = True
        tracker.update(states(angles)[:, None], ends)
    return tracker


def test_nothing_seen():
    assert ValveTracker().metrics() == {
        "rotations": 0.0,
        "max_positive": 0.0,
        "max_negative": 0.0,
        "max_angle": 0.0,
        "angle_entropy": 0.0,
    }


def test_one_episode_by_hand():
    # +1, -1.5, +0.25 rad: 2.75 rad in all, from 1 above to 0.5 below the start.
    metrics = fed([0.0, 1.0, -0.5, -0.25]).metrics()
    assert metrics["rotations"] == pytest.approx(2.75 / (2 * math.pi))
    assert metrics["max_positive"] == pytest.approx(1.0)
    assert metrics["max_negative"] == pytest.approx(0.5)
    assert metrics["max_angle"] == pytest.approx(1.0)
    # Four angles in four bins of 10 degrees.
    assert metrics["angle_entropy"] == pytest.approx(math.log(4))


def test_angles_are_unwrapped_over_several_turns_both_ways():
    forth = np.arange(0.0, 15.0, 0.5)  # to 14.5 rad, 2.3 turns
    metrics = fed(forth).metrics()
    assert metrics["max_positive"] == pytest.approx(14.5)
    assert metrics["max_negative"] == 0.0
    assert metrics["rotations"] == pytest.approx(14.5 / (2 * math.pi))
    metrics = fed(3.0 - forth).metrics()
    assert metrics["max_positive"] == 0.0
    assert metrics["max_negative"] == pytest.approx(14.5)


def test_an_episode_is_measured_from_its_own_start():
    metrics = fed([1.0, 1.2], [-1.0, -1.4, -1.3]).metrics()
    assert metrics["rotations"] == pytest.approx((0.2 + 0.5) / 2 / (2 * math.pi))
    assert metrics["max_positive"] == pytest.approx(0.2 / 2)
    assert metrics["max_negative"] == pytest.approx(0.4 / 2)
    assert metrics["max_angle"] == pytest.approx((0.2 + 0.4) / 2)


def test_open_episodes_count_when_they_end_whatever_the_pieces():
    rng = np.random.default_rng(0)
    angles = np.cumsum(rng.normal(0, 0.8, (60, 3)), axis=0)
    ends = np.zeros((60, 3), dtype=bool)
    ends[[9, 30, 59], 0] = ends[[5, 44], 1] = True
    whole, pieces = ValveTracker(), ValveTracker()
    whole.update(states(angles), ends)
    for first, last in itertools.pairwise([0, 1, 7, 30, 31, 60]):
        pieces.update(states(angles)[first:last], ends[first:last])
        pieces.metrics()  # reading changes nothing
    assert pieces.metrics() == whole.metrics()
    # Brute force over the five episodes that ended.
    spans = [(0, 0, 10), (0, 10, 31), (0, 31, 60), (1, 0, 6), (1, 6, 45)]
    episodes = [angles[a:b, i] - angles[a, i] for i, a, b in spans]
    path = [np.abs(np.diff(e)).sum() / (2 * math.pi) for e in episodes]
    metrics = whole.metrics()
    assert metrics["rotations"] == pytest.approx(np.mean(path))
    assert metrics["max_positive"] == pytest.approx(np.mean([e.max() for e in episodes]))
    assert metrics["max_negative"] == pytest.approx(np.mean([-e.min() for e in episodes]))


def test_only_the_last_100_episodes_count():
    episodes = [[0.0, 0.01 * k] for k in range(250)]
    metrics = fed(*episodes).metrics()
    assert metrics["max_positive"] == pytest.approx(0.01 * np.mean(range(150, 250)))


def test_entropy_and_visits_of_the_circle():
    tracker = fed(np.deg2rad(np.arange(5, 365, 10)))
    assert tracker.metrics()["angle_entropy"] == pytest.approx(math.log(36))
    arrays = tracker.arrays()
    assert arrays["visits"].tolist() == [1] * 36
    np.testing.assert_allclose(arrays["edges_0"], np.deg2rad(np.arange(-180, 190, 10)), atol=1e-12)
    # Minus and plus five degrees lie beside the middle; half a turn, either way, at an end.
    visits = fed([*np.deg2rad([-5.0, 5.0, 5.0]), math.pi, -math.pi]).arrays()["visits"]
    assert visits[17:19].tolist() == [1, 2]
    assert visits[0] + visits[35] == 2


def test_the_entropy_is_of_the_last_5000_steps():
    tracker = fed(np.deg2rad(np.arange(5, 365, 10)), np.full(5_000, 0.1))
    assert tracker.metrics()["angle_entropy"] == 0.0
    assert tracker.arrays()["visits"].sum() == 5_036


def test_merging_in_any_order_gives_the_same_bits():
    walks = [np.cumsum(np.random.default_rng(k).normal(0, 0.7, (12, 20)), axis=1) for k in range(3)]
    merged = []
    for order in itertools.permutations(walks):
        first, *others = (fed(*episodes) for episodes in order)
        for other in others:
            first.merge(other)
        merged.append((first.metrics(), first.arrays()["visits"].tolist()))
    assert all(result == merged[0] for result in merged)
    # Equal to one tracker that saw all: 36 episodes are fewer than 100.
    assert merged[0][0] == pytest.approx(fed(*np.concatenate(walks)).metrics())


def test_a_checkpoint_continues_open_episodes():
    rng = np.random.default_rng(2)
    observations = states(np.cumsum(rng.normal(0, 0.5, (30, 2)), axis=0))
    ends = np.zeros((30, 2), dtype=bool)
    ends[[12, 25], 0] = ends[20, 1] = True
    tracker = ValveTracker()
    tracker.update(observations[:15], ends[:15])
    tracker.merge(fed([0.0, 2.0]))
    copy = ValveTracker()
    copy.load_state_dict(tracker.state_dict())
    for each in (tracker, copy):
        each.update(observations[15:], ends[15:])
    assert copy.metrics() == tracker.metrics()


def test_shapes_that_do_not_fit():
    tracker = ValveTracker()
    with pytest.raises(ValueError, match=r"expected states \(T, n, d > 10\)"):
        tracker.update(np.zeros((3, 2, 9)), np.zeros((3, 2), dtype=bool))
    with pytest.raises(ValueError, match="and ends"):
        tracker.update(np.zeros((3, 2, 12)), np.zeros((3, 1), dtype=bool))
    tracker.update(states([[0.0, 0.1]]), np.zeros((1, 2), dtype=bool))
    with pytest.raises(
        ValueError, match="episodes of 2 environment copies are open, got states of 3"
    ):
        tracker.update(states([[0.0, 0.1, 0.2]]), np.zeros((1, 3), dtype=bool))
