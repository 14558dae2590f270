from __future__ import annotations

import io
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
import ray
from fakes import fake_experiment, finish, rows_of
from rich.console import Console

from expedition.platform import results, schedulers, tables
from expedition.platform.errors import UserError
from expedition.platform.groups import GroupedSearcher, comparable
from expedition.platform.launch import Options, Outcome, launch
from expedition.platform.optuna_search import known_points
from expedition.platform.schedulers import (
    Sweep,
    grid_points,
    planned_points,
    planned_trials,
    scheduler_of,
    sweepable,
    tune_domains,
)
from expedition.platform.schema import Metric
from expedition.platform.spec import to_yaml
from expedition.platform.store import RunFolder, TrialFolder, write_json

METRIC = Metric(key="train/return_mean")

SWEEP = """
import sys
from pathlib import Path
from expedition.platform.launch import Options, launch
from expedition.platform.schedulers import Sweep
from expedition.platform.schema import Metric
from expedition.platform.spec import load_resolved

results, address = Path(sys.argv[1]), sys.argv[2]
sweep = Sweep(8, "random", "asha", Metric(key="train/return_mean"))
options = Options(results=results, name="run", track=False, address=address)
launch(load_resolved(results / "spec.yaml"), options, sweep)
"""


def _sweep(**changes: Any) -> Sweep:
    settings = {"samples": 4, "searcher": "random", "scheduler": "none", "metric": METRIC}
    return Sweep(**{**settings, **changes})


def _one_variant(**changes: Any) -> Any:
    return fake_experiment(variants={"low": {"algorithm": "fake"}}, **changes)


def _launch(folder: Path, experiment: Any, sweep: Sweep, **more: Any) -> Outcome:
    console = Console(file=io.StringIO())
    options = Options(results=folder, name="run", track=False, console=console, **more)
    return launch(experiment, options, sweep)


def test_random_points_are_drawn_from_the_space_and_repeat() -> None:
    space = {
        "gain": {"uniform": [1.0, 2.0]},
        "rate": {"loguniform": [1e-4, 1e-2]},
        "steps": {"randint": [3, 9]},
        "grid": {"quniform": [0.0, 1.0, 0.25]},
        "kind": {"choice": ["a", "b"]},
    }
    points = planned_points(_sweep(samples=50), space)

    assert all(1.0 <= point["gain"] <= 2.0 for point in points)
    assert all(1e-4 <= point["rate"] <= 1e-2 for point in points)
    assert {point["steps"] for point in points} == {3, 4, 5, 6, 7, 8}
    assert {point["grid"] for point in points} <= {0.0, 0.25, 0.5, 0.75, 1.0}
    assert {point["kind"] for point in points} == {"a", "b"}
    assert points == planned_points(_sweep(samples=50), space)
    assert points != planned_points(_sweep(samples=50, seed=1), space)


def test_a_grid_is_every_combination() -> None:
    space = {"a": {"grid_search": [1, 2]}, "b": {"choice": ["x", "y"]}}
    assert grid_points(space) == [
        {"a": 1, "b": "x"}, {"a": 1, "b": "y"}, {"a": 2, "b": "x"}, {"a": 2, "b": "y"},
    ]  # fmt: skip
    with pytest.raises(UserError, match=r"'search\.c' is uniform, not a list"):
        grid_points({"c": {"uniform": [0, 1]}})


def test_every_point_runs_on_every_variant_task_and_seed() -> None:
    experiment = fake_experiment(tasks={"a": {}, "b": {}}, seeds=2)

    trials = planned_trials(_sweep(samples=3), experiment)

    assert len(trials) == 3 * 2 * 2 * 2
    assert len({trial.point for trial in trials}) == 3
    assert all(trial.config["gain"] == trial.search["gain"] for trial in trials)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"samples": 0}, "--samples 0: must be at least 1"),
        ({"seed": -1}, "--search-seed -1: must be 0 or more"),
        ({"searcher": "optna"}, "unknown searcher 'optna'; did you mean 'optuna'"),
        ({"scheduler": "asa"}, "unknown scheduler 'asa'; did you mean 'asha'"),
        ({"searcher": "grid"}, "'search.gain' is uniform, not a list"),
        ({"scheduler": "pbt", "searcher": "optuna"}, "pbt starts from random points"),
        ({"scheduler": "pbt"}, "choose one variant, task and seed"),
    ],
)
def test_sweeps_that_cannot_work_say_why(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(UserError, match=message):
        _sweep(**changes).check(fake_experiment())


def test_a_sweep_needs_a_search_space_and_early_stopping_with_optuna_one_cell() -> None:
    with pytest.raises(UserError, match="test/fake has no search space"):
        _sweep().check(fake_experiment(search={}))
    with pytest.raises(UserError, match="takes one task and one seed"):
        _sweep(searcher="optuna", scheduler="asha").check(_one_variant(seeds=2))


def test_references_and_variants_without_the_setting_are_not_swept() -> None:
    experiment = fake_experiment(
        variants={
            "fake": {"algorithm": "fake"},
            "line": {"algorithm": "fake", "reference": True},
            "random": {"algorithm": "random"},
        },
        metrics={"return": {"key": "train/return_mean"}, "level": {"key": "coverage/level"}},
    )
    swept = sweepable(experiment, "level")
    assert list(swept.variants) == ["fake"]
    assert list(swept.metrics) == ["level", "return"]
    with pytest.raises(UserError, match="unknown metric 'lvel'; did you mean 'level'"):
        sweepable(experiment, "lvel")


def test_only_trials_of_one_variant_and_task_are_compared(tmp_path: Path) -> None:
    scheduler = scheduler_of(
        _sweep(scheduler="asha"), fake_experiment(budget=90), RunFolder(tmp_path)
    )
    inner = scheduler._of  # type: ignore[union-attr]

    class Fake:
        def __init__(self, trial: str) -> None:
            self.config = {"trial": trial}

    assert comparable({"trial": "a/low/p1/seed_0"}) == "a/low"
    assert inner(Fake("a/low/p1/seed_0")) is inner(Fake("a/low/p2/seed_1"))
    assert inner(Fake("a/low/p1/seed_0")) is not inner(Fake("a/high/p1/seed_0"))
    assert inner(Fake("a/low/p1/seed_0"))._rungs == (30, 10)


def test_variants_are_asked_in_turn() -> None:
    from ray.tune.search.optuna import OptunaSearch

    space = OptunaSearch.convert_search_space({"search": tune_domains({"x": {"uniform": [0, 1]}})})
    searcher = GroupedSearcher(
        {name: OptunaSearch(space, metric="m", mode="max", seed=0) for name in ("a", "b")}
    )
    suggested = [searcher.suggest(str(k)) for k in range(4)]
    assert [s["group"] for s in suggested if s] == ["a", "b", "a", "b"]
    assert all(0 <= s["search"]["x"] <= 1 for s in suggested if s)
    for k in range(4):
        searcher.on_trial_complete(str(k), {"m": float(k)})


@pytest.mark.slow
@pytest.mark.usefixtures("ray_of_two")
class TestLaunched:
    def test_a_random_sweep_with_asha_finds_the_best_and_stops_the_worst(
        self, tmp_path: Path
    ) -> None:
        sweep = _sweep(samples=9, scheduler="asha")
        outcome = _launch(tmp_path, _one_variant(budget=180), sweep)

        assert outcome.complete
        assert len(outcome.states) == 9
        run = results.read(outcome.folder.path)
        ranking = tables.sweep_points(run)
        gains = [values["gain"] for values in ranking["values"]]
        assert gains[0] == max(gains)
        stopped = [outcome.folder.trial(t).status().get("stopped_early") for t in outcome.states]
        assert any(stopped)
        assert not all(stopped)

    def test_optuna_averages_a_point_over_seeds_and_learns_from_an_earlier_launch(
        self, tmp_path: Path
    ) -> None:
        experiment = _one_variant(seeds=2, budget=40)
        sweep = _sweep(samples=3, searcher="optuna")
        outcome = _launch(tmp_path, experiment, sweep)
        assert outcome.complete
        assert len(outcome.states) == 6
        points = known_points(outcome.folder, sweep.objective, repeats=2)["low"]
        assert len(points.scored) == 3
        assert not points.open

        # As if the last trial had been killed before its end.
        last = outcome.folder.trial(outcome.folder.trial_ids()[-1])
        values = last.read_trial()["search"]
        write_json(last.path / "status.json", {"state": "running", "env_steps": 30})
        assert known_points(outcome.folder, sweep.objective, 2)["low"].open == [values]
        again = _launch(tmp_path, experiment, sweep, resume=True)
        assert again.complete
        assert again.states.keys() == outcome.states.keys()

    def test_a_sweep_killed_and_resumed_has_the_rows_and_the_winner_of_one_that_was_not(
        self, tmp_path: Path
    ) -> None:
        variant = {"algorithm": "fake", "config": {"sleep_s": 0.03}}
        experiment = fake_experiment(variants={"low": variant}, budget=180)
        sweep = _sweep(samples=8, scheduler="asha")
        quick = planned_trials(sweep, _one_variant(budget=180))
        expected = {trial.id: finish(trial, TrialFolder(tmp_path / trial.id)) for trial in quick}

        (tmp_path / "spec.yaml").write_text(to_yaml(experiment))
        address = ray.get_runtime_context().gcs_address
        driver = subprocess.Popen([sys.executable, "-c", SWEEP, str(tmp_path), address])
        run = RunFolder(tmp_path / "run")
        deadline = time.monotonic() + 240
        while sum(run.trial(t).status()["state"] == "done" for t in expected) < 3:
            assert driver.poll() is None
            assert time.monotonic() < deadline
            time.sleep(0.05)
        os.kill(driver.pid, signal.SIGKILL)
        driver.wait()
        ended = {t for t in expected if run.trial(t).status()["state"] == "done"}
        before = {t: rows_of(run.trial(t)) for t in ended}
        assert len(ended) < 8

        outcome = _launch(tmp_path, experiment, sweep, resume=True)
        assert outcome.complete
        for trial_id, undisturbed in expected.items():
            rows, status = rows_of(run.trial(trial_id)), run.trial(trial_id).status()
            assert rows == undisturbed[: len(rows)]
            # Whom a rung stops depends on who has been there before, and that on who is quick.
            assert rows[-1]["env_steps"] in ((20, 60) if status.get("stopped_early") else (180,))
        assert before == {t: rows_of(run.trial(t)) for t in ended}
        at_rungs = [
            {t: rows[rung - 1]["train/return_mean"] for t, rows in expected.items()}
            for rung in (2, 6, 18)
        ]
        (winner,) = {max(values, key=values.__getitem__) for values in at_rungs}
        assert len(rows_of(run.trial(winner))) == 18

    def test_pbt_copies_the_better_members(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(schedulers, "PBT_INTERVALS", 3)  # each costs every member a restart
        experiment = _one_variant(budget=150)
        outcome = _launch(tmp_path, experiment, _sweep(samples=4, scheduler="pbt"))

        assert outcome.complete
        trials = [f"default/low/member_{k:02d}/seed_0" for k in range(4)]
        assert sorted(outcome.states) == trials
        changes = 0
        for trial in trials:
            rows = outcome.folder.trial(trial).rows()
            assert [row["iteration"] for row in rows] == list(range(1, len(rows) + 1))
            changes += len({row["search/gain"] for row in rows}) - 1
        assert changes > 0
