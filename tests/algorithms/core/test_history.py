import numpy as np
import pytest

from expedition.algorithms.core.history import PolicyHistory


def history(weighting: str, size: int = 10, snapshots: int = 20) -> PolicyHistory:
    result = PolicyHistory(size, weighting, base=1.2, newest_probability=0.1)
    for index in range(snapshots):
        result.add({"index": index})
    return result


def test_the_newest_policy_plays_its_paper_share_of_episodes():
    plan = history("exponential").plan({"index": 99}, 100_000, np.random.default_rng(0))
    episodes = {weights["index"]: count for weights, count in plan}
    assert sum(episodes.values()) == 100_000
    assert len(episodes) == 10
    assert abs(episodes[99] / 100_000 - 0.19) < 0.006  # 0.1 + 0.9 / 10
    others = [count for index, count in episodes.items() if index != 99]
    assert max(abs(count / 100_000 - 0.09) for count in others) < 0.005


def test_snapshots_are_drawn_without_replacement_and_newer_ones_more_often():
    rng = np.random.default_rng(0)
    draws = [history("exponential")._draw(rng) for _ in range(2000)]
    assert all(len(set(draw)) == 9 for draw in draws)
    counts = np.bincount(np.concatenate(draws), minlength=20)
    assert counts[15:].min() > 1.5 * counts[:5].max()


def test_the_other_weightings():
    rng = np.random.default_rng(0)
    assert history("last")._draw(rng).tolist() == list(range(11, 20))
    uniform = np.bincount(
        np.concatenate([history("uniform")._draw(rng) for _ in range(4000)]), minlength=20
    )
    assert np.abs(uniform / 4000 - 9 / 20).max() < 0.04


@pytest.mark.parametrize("snapshots", [0, 1, 5])
def test_early_in_a_run_the_ensemble_is_what_there_is(snapshots: int):
    plan = history("exponential", snapshots=snapshots).plan(
        {"index": 99}, 500, np.random.default_rng(0)
    )
    assert {weights["index"] for weights, _ in plan} == {*range(snapshots), 99}
    assert sum(count for _, count in plan) == 500
