import itertools
import math

import numpy as np
import pytest

from expedition.envs.histogram import entropy
from expedition.envs.manipulation.goals import (
    GOALS,
    EpisodeLog,
    episodes_to_find,
    found_within,
    goal_positions,
    goals_reached,
)
from expedition.envs.manipulation.layout import LAYOUTS
from expedition.envs.manipulation.marginal import SideTarget
from expedition.envs.manipulation.tracker import ManipulationTracker

GRIPPER = (1.31, 0.76, 0.53)


def make(target=SideTarget(), fall_test="table", **kwargs):  # noqa: B008
    return ManipulationTracker(LAYOUTS["paper"], fall_test, target, **kwargs)


def states_of(blocks):
    """Observations (T, n, 10) with blocks (T, n, 3)."""
    blocks = np.asarray(blocks, dtype=float)
    states = np.zeros((*blocks.shape[:-1], 10))
    states[..., 4:7], states[..., 7:] = blocks, GRIPPER
    return states


def feed(tracker, episodes):
    """Feed whole episodes, each a list of block positions, to a single copy."""
    for episode in episodes:
        states = states_of(np.array(episode)[:, None])
        tracker.update(states, np.arange(len(episode))[:, None] == len(episode) - 1)


def wander(seed, steps=300, copies=3, end_share=0.05):
    """Blocks that rest, jump about and fall; states (steps, copies, 10) and ends."""
    rng = np.random.default_rng(seed)
    blocks = rng.uniform([1.0, 0.34, 0.38], [1.6, 1.12, 0.48], (steps // 10, copies, 3))
    return states_of(blocks.repeat(10, axis=0)), rng.random((steps, copies)) < end_share


def distances(block):
    return np.linalg.norm(goal_positions() - block, axis=1)


def test_the_goals_are_fixed_and_on_the_middle_of_the_table():
    goals = goal_positions()
    assert goals.shape == (2000, 3)
    assert (goals[:, 2] == 0.42).all()
    np.testing.assert_allclose(goals[:, :2].min(axis=0), [1.1, 0.44], atol=0.002)
    np.testing.assert_allclose(goals[:, :2].max(axis=0), [1.5, 1.02], atol=0.002)
    np.testing.assert_allclose(goals[:, :2].mean(axis=0), [1.3, 0.73], atol=0.01)
    with pytest.raises(ValueError, match="read-only"):
        goals[0] = 0.0


def test_goals_reached_equals_a_loop_over_all_distances():
    rng = np.random.default_rng(0)
    block = rng.uniform([1.0, 0.3, 0.3], [1.6, 1.2, 0.6], (1300, 3))
    block[200:900] = block[200]  # at rest across stretches and chunks
    starts = rng.random(1300) < 0.02
    starts[0] = True
    found = goals_reached(block, starts)
    stretches = np.split(block, np.flatnonzero(starts)[1:])
    assert found.shape == (len(stretches), GOALS)
    for row, stretch in zip(found, stretches, strict=True):
        expected = np.any([distances(place) < 0.1 for place in stretch], axis=0)
        assert np.array_equal(row, expected)


@pytest.mark.parametrize("episodes", [1, 4, 6])
def test_goals_found_is_the_mean_over_all_orders_of_the_episodes(episodes):
    rng = np.random.default_rng(episodes)
    reached = rng.random((episodes, 9)) < rng.uniform(0.0, 0.6, 9)
    hits = reached.sum(axis=0)
    shares, firsts = [], []
    for order in itertools.permutations(range(episodes)):
        so_far = np.logical_or.accumulate(reached[list(order)], axis=0)
        shares.append([0.0, *so_far.mean(axis=1)])
        firsts.append(np.where(so_far[-1], so_far.argmax(axis=0) + 1.0, np.nan))
    found = found_within(hits, episodes, longest=8)
    np.testing.assert_allclose(found[: episodes + 1], np.mean(shares, axis=0))
    assert (found[episodes:] == found[episodes]).all()  # there are no more
    expected = np.where(hits > 0, np.mean(firsts, axis=0), 100.0)
    np.testing.assert_allclose(episodes_to_find(hits, episodes), expected)


def test_goals_found_of_a_hundred_episodes_is_the_hypergeometric_formula():
    hits = np.array([0, 1, 7, 99, 100])
    found = found_within(hits, 100, longest=100)
    for n in (1, 5, 50, 100):
        missed = [math.comb(100 - k, n) / math.comb(100, n) for k in hits.tolist()]
        assert found[n] == pytest.approx(1.0 - np.mean(missed))
    expected = [100.0, 50.5, 101 / 8, 1.01, 1.0]
    np.testing.assert_allclose(episodes_to_find(hits, 100), expected)


@pytest.mark.parametrize("episodes", [101, 157, 300])
def test_of_more_than_a_hundred_episodes_the_clipped_time_is_averaged(episodes):
    rng = np.random.default_rng(episodes)
    hits = np.array([0, 1, 3, episodes - 1])
    for k, expected in zip(hits.tolist(), episodes_to_find(hits, episodes), strict=True):
        missed = [math.comb(episodes - k, n) / math.comb(episodes, n) for n in range(100)]
        assert expected == pytest.approx(sum(missed))
        orders = rng.random((4000, episodes)).argsort(axis=1)
        places = orders[:, :k].min(axis=1, initial=episodes) + 1
        assert expected == pytest.approx(np.minimum(places, 100).mean(), abs=2.5)


def test_a_sequence_is_scored_in_its_order_from_its_first_episode():
    tracker, kept = make(), make()
    near, far = [[1.2, 0.6, 0.425]], [[1.4, 0.9, 0.425]]
    tracker.start_sequence()
    feed(tracker, [[[1.0, 0.4, 0.425]], near, far] + [near] * 120)
    arrays = tracker.arrays()
    is_near, is_far = distances(near[0]) < 0.1, distances(far[0]) < 0.1
    assert (arrays["goal_episodes"][is_near] == 2.0).all()
    assert (arrays["goal_episodes"][is_far] == 3.0).all()
    assert (arrays["goal_episodes"][~(is_near | is_far)] == 100.0).all()
    steps = np.array([0.0, 0.0, is_near.mean(), (is_near | is_far).mean()])
    assert arrays["goals_found"] == pytest.approx(np.append(steps, np.full(97, steps[-1])))
    kept.load_state_dict(tracker.state_dict())
    assert kept.metrics() == tracker.metrics()


def test_the_log_keeps_a_hundred_episodes_in_a_quarter_of_a_kilobyte_each():
    log = EpisodeLog()
    for k in range(150):
        log.append(np.arange(GOALS) < k, fell=k % 2 == 0)
    assert len(log) == 100
    assert log.falls == 50
    # Goal g is reached by episodes k > g; 50 to 149 are kept.
    assert log.hits[[0, 49, 50, 100, 148, 149]].tolist() == [100, 100, 99, 49, 1, 0]
    assert sum(array.nbytes for array in log.state_dict().values()) == 100 * 251


def test_a_goal_counts_once_an_episode_and_fallen_blocks_find_none():
    tracker = make()
    here, there = [1.2, 0.6, 0.425], [1.4, 0.9, 0.425]
    feed(tracker, [[here, here], [here, there], [there, [1.4, 0.9, 0.0]], [[1.3, 0.73, 0.0]]])
    near_here, near_there = distances(here) < 0.1, distances(there) < 0.1
    assert not (near_here & near_there).any()
    metrics, arrays = tracker.metrics(), tracker.arrays()
    assert metrics["goals_found_1"] == pytest.approx((near_here | near_there).mean() / 2)
    assert metrics["goals_found_100"] == pytest.approx((near_here | near_there).mean())
    expected = np.where(near_here | near_there, 5 / 3, 100.0)
    np.testing.assert_allclose(arrays["goal_episodes"], expected)
    assert arrays["goals"].shape == (2000, 2)
    assert arrays["goals_found"].shape == (101,)
    assert arrays["goals_found"][1] == metrics["goals_found_1"]
    assert metrics["off_table"] == 0.5


def test_the_fall_test_decides_what_is_off_the_table():
    pressed = [[1.3, 0.9, 0.41]]
    for fall_test, off, left in (("table", 0.0, 1.0), ("strict", 1.0, 0.0)):
        tracker = make(fall_test=fall_test)
        feed(tracker, [pressed])
        assert tracker.metrics()["off_table"] == off
        assert tracker.metrics()["left_mass"] == left


def test_entropies_of_block_and_gripper_are_over_cubes():
    tracker = make()
    # The same square, two heights: a cube each.
    feed(tracker, [[[1.32, 0.72, 0.43]] * 3 + [[1.33, 0.73, 0.46]]])
    metrics = tracker.metrics()
    assert metrics["block_entropy"] == pytest.approx(entropy(np.array([3, 1])))
    assert metrics["block_entropy_corrected"] == pytest.approx(entropy(np.array([3, 1])) + 1 / 8)
    assert metrics["gripper_entropy"] == 0.0
    assert metrics["state_entropy"] == metrics["block_entropy"]


def test_places_far_away_or_not_numbers_do_not_break_the_entropies():
    tracker = make()
    feed(tracker, [[[1.3, 0.7, 0.4], [1e9, -1e9, 1e9], [-1e9, 0.0, 0.0]]])
    assert tracker.metrics()["block_entropy"] == pytest.approx(np.log(3))


def test_sides_and_target_refer_to_recent_states_on_the_table():
    target = SideTarget(1.0, bin_width=0.13)
    tracker = make(target, window_steps=6)
    feed(tracker, [[[1.3, 0.35, 0.425]] * 50])  # forgotten
    y = [0.35, 0.73, 0.74, 1.12]
    feed(tracker, [[[1.3, v, 0.425] for v in y] + [[1.3, 0.4, 0.1], [0.9, 0.4, 0.425]]])
    metrics = tracker.metrics()
    assert (metrics["left_mass"], metrics["right_mass"]) == (0.5, 0.25)
    assert (metrics["target_kl"], metrics["target_tv"]) == target.discrepancy(np.array(y))


def test_arrays_count_every_visit_on_the_table():
    tracker = make(window_steps=1)
    feed(tracker, [[[1.31, 0.72, 0.425], [1.32, 0.74, 0.5], [1.02, 0.36, 0.425], [0.5, 0.5, 0.0]]])
    arrays = tracker.arrays()
    assert arrays["visits"].sum() == 3
    column = np.searchsorted(arrays["x_edges"], 1.31, side="right") - 1
    row = np.searchsorted(arrays["y_edges"], 0.72, side="right") - 1
    assert arrays["visits"][column, row] == 2
    assert arrays["visits"].shape == (len(arrays["x_edges"]) - 1, len(arrays["y_edges"]) - 1)


def test_splitting_the_steps_changes_nothing():
    states, ends = wander(1)
    whole, split = make(), make()
    whole.update(states, ends)
    for part in np.split(np.arange(len(states)), [1, 2, 50, 51, 233]):
        split.update(states[part], ends[part])
    assert split.metrics() == whole.metrics()
    assert np.array_equal(split.arrays()["goal_episodes"], whole.arrays()["goal_episodes"])


def test_single_precision_changes_nothing():
    states, ends = wander(2)
    single, double = make(), make()
    single.update(states.astype(np.float32), ends)
    double.update(states.astype(np.float32).astype(np.float64), ends)
    assert single.metrics() == double.metrics()


def test_the_last_hundred_episodes_are_those_that_ended_last():
    states, ends = wander(3, steps=2000, copies=2, end_share=0.1)
    tracker = make()
    tracker.update(states, ends)
    blocks = states[..., 4:7]
    episodes, begin = [], [0, 0]
    for t, copy in np.argwhere(ends).tolist():
        stretch = blocks[begin[copy] : t + 1, copy]
        episodes.append(np.any([distances(b) < 0.1 for b in np.unique(stretch, axis=0)], axis=0))
        begin[copy] = t + 1
    assert len(episodes) > 200
    hits = np.sum(episodes[-100:], axis=0)
    assert np.array_equal(tracker.arrays()["goal_episodes"], episodes_to_find(hits, 100))


def test_merging_is_commutative_and_associative():
    def fed(seed):
        tracker = make(SideTarget(1.0))
        tracker.update(*wander(seed))
        return tracker

    results = []
    for order in itertools.permutations(range(3)):
        left, right = fed(order[0]), fed(order[1])
        left.merge(right)
        left.merge(fed(order[2]))
        nested, pair = fed(order[0]), fed(order[1])
        pair.merge(fed(order[2]))
        nested.merge(pair)
        results += [left, nested]
    for tracker in results[1:]:
        assert tracker.metrics() == results[0].metrics()
        for name, array in tracker.arrays().items():
            assert np.array_equal(array, results[0].arrays()[name])
    assert results[0].arrays()["visits"].sum() == 3 * 3 * 300


def test_merging_pools_episodes():
    here, there = [[1.2, 0.6, 0.425]], [[1.4, 0.9, 0.0]]
    a, b = make(), make()
    feed(a, [here])
    feed(b, [there] * 3)
    a.merge(b)
    assert a.metrics()["off_table"] == 0.75
    assert a.metrics()["goals_found_1"] == pytest.approx((distances(here[0]) < 0.1).mean() / 4)


def test_a_merged_tracker_does_not_follow_its_parts():
    merged, part = make(), make()
    feed(part, [[[1.2, 0.6, 0.425]]])
    merged.merge(part)
    before = merged.metrics()
    feed(part, [[[1.4, 0.9, 0.0]]] * 10)
    assert merged.metrics() == before


def test_a_checkpoint_in_the_middle_of_episodes():
    states, ends = wander(4)
    kept, copy = make(), make()
    kept.update(states[:211], ends[:211])
    other = make()
    other.update(*wander(5))
    kept.merge(other)
    copy.load_state_dict(kept.state_dict())
    for tracker in (kept, copy):
        tracker.update(states[211:], ends[211:])
    assert copy.metrics() == kept.metrics()
    assert np.array_equal(copy.arrays()["goal_episodes"], kept.arrays()["goal_episodes"])


def test_a_state_shares_no_memory():
    tracker = make()
    tracker.update(*wander(6))
    state, before = tracker.state_dict(), tracker.metrics()
    tracker.update(*wander(7))
    again = make()
    again.load_state_dict(state)
    again.update(*wander(8))
    fresh = make()
    fresh.load_state_dict(state)
    assert fresh.metrics() == before


def test_metrics_before_anything_is_seen():
    metrics = make().metrics()
    kl_and_tv = metrics.pop("target_kl"), metrics.pop("target_tv")
    assert kl_and_tv == pytest.approx((0.0, 0.0))  # the counts added are uniform, like the target
    assert set(metrics.values()) == {0.0}


def test_wrong_arguments():
    tracker = make()
    with pytest.raises(ValueError, match=r"expected states \(T, n, 10\) and ends \(T, n\)"):
        tracker.update(np.zeros((4, 2, 3)), np.zeros((4, 2), dtype=bool))
    tracker.update(np.zeros((4, 2, 10)), np.zeros((4, 2), dtype=bool))
    with pytest.raises(ValueError, match="episodes of 2 environment copies are open"):
        tracker.update(np.zeros((4, 3, 10)), np.zeros((4, 3), dtype=bool))
    with pytest.raises(ValueError, match="cannot merge a tracker of"):
        tracker.merge(make(fall_test="strict"))
    with pytest.raises(ValueError, match="window_steps must be at least 1, got 0"):
        make(window_steps=0)
