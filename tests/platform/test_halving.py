from __future__ import annotations

import math
from typing import Any, cast

import numpy as np
import pytest
from fakes import fake_experiment
from judged_trials import JudgedTrial, goes_on, stopped_alike
from ray.tune.schedulers import AsyncHyperBandScheduler

from expedition.platform.halving import Halving
from expedition.platform.objective import Objective
from expedition.platform.plan import trials_of


def _halving(mode: str = "max", grace: int = 10, budget: int = 90) -> Halving:
    return Halving(metric="objective", mode=mode, grace=grace, budget=budget, factor=3)


@pytest.mark.parametrize("mode", ["max", "min"])
def test_with_one_seed_a_point_it_decides_as_tunes_asha(mode: str) -> None:
    random = np.random.default_rng(0)
    ours = _halving(mode)
    theirs = AsyncHyperBandScheduler(
        time_attr="env_steps", metric="objective", mode=mode,
        max_t=90, grace_period=10, reduction_factor=3,
    )  # fmt: skip
    trials = [JudgedTrial(f"p{k}", 0) for k in range(60)]
    for trial in trials:
        theirs.on_trial_add(cast(Any, None), cast(Any, trial))
    stopped = stopped_alike(
        ours, theirs, trials, range(5, 90, 5), lambda _trial: float(random.normal())
    )
    assert 0 < stopped < 60


def test_a_point_of_several_seeds_is_judged_by_their_interquartile_mean() -> None:
    halving = _halving()
    for seed, value in enumerate((0.0, 1.0, 3.0, 100.0)):  # interquartile mean 2, mean 26
        assert goes_on(halving, JudgedTrial("a", seed), 10, value)
    assert goes_on(halving, JudgedTrial("b", 0), 10, 2.5)  # above the only other point, at 2
    # Two thirds between 2 and 2.5 is 2.33: c's first seed is below it, its second lifts c to 2.5.
    assert not goes_on(halving, JudgedTrial("c", 0), 10, 2.0)
    assert goes_on(halving, JudgedTrial("c", 1), 10, 3.0)


def test_a_trial_is_judged_once_a_rung_and_never_before_the_first() -> None:
    halving = _halving()
    assert goes_on(halving, JudgedTrial("a", 0), 10, 5.0)
    assert goes_on(halving, JudgedTrial("b", 0), 9, -1.0)
    assert not goes_on(halving, JudgedTrial("b", 0), 12, -1.0)
    assert goes_on(halving, JudgedTrial("a", 0), 20, -9.0)  # below nobody at the next rung, 30
    assert goes_on(halving, JudgedTrial("a", 0), 30, -9.0)


def test_points_that_have_measured_nothing_stop_nobody_and_a_failure_no_other() -> None:
    halving = _halving()
    for point in ("a", "b", "c"):
        assert goes_on(halving, JudgedTrial(point, 0), 10, -math.inf)
    failed = {"state": "failed", "objective": -math.inf}
    halving.on_trial_complete(cast(Any, None), cast(Any, JudgedTrial("d", 0)), failed)
    assert goes_on(halving, JudgedTrial("e", 0), 10, -5.0)


def test_a_resumed_sweep_judges_by_what_the_earlier_launch_left() -> None:
    (cell,) = trials_of(fake_experiment(variants={"low": {"algorithm": "fake"}}))
    objective = Objective("train/return_mean", "last", higher_is_better=True)
    halving, resumed = _halving(), _halving()
    for gain in (1.0, 2.0, 3.0):
        trial = cell.at({"gain": gain})
        point = str(trial.point)
        rows = [{"env_steps": 5 * k, "train/return_mean": gain * k} for k in range(1, 19)]
        for row in rows:
            halving.record(point, "seed_0", row["env_steps"], row["train/return_mean"])
        resumed.recall(trial, rows, objective)
    assert resumed._values == halving._values
    assert not goes_on(resumed, JudgedTrial("new", 0), 10, 4.0)  # cutoff: two thirds of 2, 4 and 6
    assert goes_on(resumed, JudgedTrial("newer", 0), 10, 6.0)
