from __future__ import annotations

import math

import numpy as np
import pytest
from fakes import fake_experiment
from judged_trials import JudgedTrial, goes_on, stopped_alike
from ray.tune.schedulers import MedianStoppingRule

from expedition.platform.median import MedianRule
from expedition.platform.objective import Objective
from expedition.platform.plan import trials_of


def _median(mode: str = "max", grace: int = 10, least: int = 3) -> MedianRule:
    return MedianRule(metric="objective", mode=mode, grace=grace, least=least)


@pytest.mark.parametrize("mode", ["max", "min"])
def test_with_one_seed_a_point_it_decides_as_tunes_rule(mode: str) -> None:
    random = np.random.default_rng(0)
    ours = _median(mode, grace=20)
    theirs = MedianStoppingRule(
        time_attr="env_steps", metric="objective", mode=mode,
        grace_period=20, min_samples_required=3, hard_stop=True,
    )  # fmt: skip
    trials = [JudgedTrial(f"p{k}") for k in range(40)]
    level = {trial.trial_id: random.normal() for trial in trials}
    stopped = stopped_alike(
        ours,
        theirs,
        trials,
        range(5, 100, 5),
        lambda trial: level[trial.trial_id] + 0.1 * float(random.normal()),
    )
    assert 10 < stopped < 40


def test_a_point_of_several_seeds_is_judged_by_their_interquartile_mean() -> None:
    median = _median(least=1)
    for seed, value in enumerate((0.0, 1.0, 3.0, 100.0)):  # interquartile mean 2, mean 26
        assert goes_on(median, JudgedTrial("a", seed), 10, value)
    assert not goes_on(median, JudgedTrial("b", 0), 10, 1.9)
    assert goes_on(median, JudgedTrial("b", 1), 10, 2.3)  # with it, b is at 2.1
    assert not goes_on(median, JudgedTrial("c", 0), 10, 2.0)  # the median of 2 and 2.1 is above


def test_the_best_of_a_point_is_compared_with_the_means_of_others_as_far_as_it_has_come() -> None:
    median = _median(least=1)
    for env_steps, value in ((5, 9.0), (10, 1.0), (20, 3.0), (30, 80.0)):
        assert goes_on(median, JudgedTrial("a"), env_steps, value)
    assert goes_on(median, JudgedTrial("b"), 5, 1.5)
    assert not goes_on(
        median, JudgedTrial("b"), 20, 1.0
    )  # its best, 1.5, is below the mean of 1 and 3
    assert goes_on(median, JudgedTrial("c"), 10, 2.0)
    assert goes_on(median, JudgedTrial("c"), 20, -7.0)  # its best is 2, and b is no better
    assert goes_on(median, JudgedTrial("d"), 40, -9.0)  # nobody has come as far


def test_too_few_points_and_points_that_have_measured_nothing_stop_nobody() -> None:
    median = _median()
    for point in ("a", "b", "c"):
        assert goes_on(median, JudgedTrial(point), 10, -math.inf)
    for point in ("d", "e", "f"):
        assert goes_on(median, JudgedTrial(point), 10, 1.0)
    assert not goes_on(median, JudgedTrial("g"), 10, 0.0)


def test_a_resumed_sweep_judges_by_what_the_earlier_launch_left() -> None:
    (cell,) = trials_of(fake_experiment(variants={"low": {"algorithm": "fake"}}))
    objective = Objective("train/return_mean", "last", higher_is_better=True)
    resumed = _median()
    for gain in (1.0, 2.0, 3.0):
        trial = cell.at({"gain": gain})
        rows = [{"env_steps": 5 * k, "train/return_mean": gain * k} for k in range(1, 7)]
        resumed.recall(trial, rows, objective)
    again = JudgedTrial(str(cell.at({"gain": 1.0}).point))
    assert goes_on(resumed, again, 30, 6.0)  # a row that is made again is not judged again
    # At 20 steps the means since 10 are 3, 6 and 9; at 30 they are 4, 8 and 12.
    assert not goes_on(resumed, JudgedTrial("new"), 20, 5.9)
    assert goes_on(resumed, JudgedTrial("newer"), 20, 6.1)
    assert not goes_on(resumed, JudgedTrial("newer"), 30, 7.0)
