"""Run folders as tables: finished, unfinished, damaged."""

from __future__ import annotations

import json
import math
import os
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from synthetic import ITERATIONS, experiment, write_run, write_trial

from expedition.platform import results, scores, tables
from expedition.platform.errors import UserError
from expedition.platform.plan import point_name, trial_of, trials_of
from expedition.platform.schema import Metric
from expedition.platform.store import RunFolder


@pytest.fixture(scope="module")
def finished(tmp_path_factory) -> Path:
    return write_run(tmp_path_factory.mktemp("runs") / "finished")


@pytest.fixture
def folder(finished: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(finished, tmp_path / "run"))


def test_reads_a_finished_run(finished: Path) -> None:
    run = results.read(finished)
    assert run.finished
    assert not run.is_sweep
    assert len(run.trials) == 32
    assert len(run.rows) == 32 * ITERATIONS
    assert list(run.rows.columns[:4]) == results.IDENTITY
    assert list(run.trials["variant"].unique()) == ["sac", "smm", "sm4", "random"]
    first = run.trials.iloc[0]
    assert (first["env_steps"], first["seconds"], first["env_steps_per_s"]) == (20000, 40.0, 500.0)


def test_line_being_written_is_passed_over(folder: Path) -> None:
    progress = folder / "trials/halls-3/sac/seed_0/progress.jsonl"
    text = progress.read_text()
    progress.write_text(text[: text.rindex("\n", 0, -1) + 12])
    assert len(results.read(folder).rows) == 32 * ITERATIONS - 1


def test_unfinished_failed_and_missing_trials_are_reported(folder: Path) -> None:
    trials = folder / "trials/halls-3/sac"
    error = {"type": "NonFiniteLossError", "message": "q_loss is nan", "step": 7000}
    (trials / "seed_0/status.json").write_text(json.dumps({"state": "failed", "error": error}))
    (trials / "seed_1/status.json").write_text("{")
    shutil.rmtree(trials / "seed_2")
    run = results.read(folder)
    mine = run.trials[(run.trials["task"] == "halls-3") & (run.trials["variant"] == "sac")]
    assert list(mine["state"]) == ["failed", "pending", "missing", "done"]
    assert mine["error"].iloc[0] == "q_loss is nan"
    assert not run.finished
    scored = scores.table(run, run.experiment.metrics["halls"])
    assert len(scored) == 29
    assert len(scores.scores_RT(scored, "sac", ["halls-3"])) == 1
    # A seed counts for several tasks together only where it finished on all of them.
    assert len(scores.scores_RT(scored, "sac", ["halls-3", "halls-5"])) == 1
    assert len(scores.scores_RT(scored, "sac", ["halls-5"])) == 4


def test_run_that_has_not_started(tmp_path: Path) -> None:
    run = results.read(write_run(tmp_path / "new", experiment(seeds=1)))
    shutil.rmtree(run.path / "trials")
    empty = results.read(run.path)
    assert list(empty.trials["state"].unique()) == ["missing"]
    assert scores.table(empty, run.experiment.metrics["halls"]).empty
    assert (
        scores.scores_RT(scores.table(empty, run.experiment.metrics["halls"]), "sac", ["x"]).size
        == 0
    )


def test_parquet_holds_the_rows(folder: Path) -> None:
    run = results.read(folder)
    table = pd.read_parquet(results.write_parquet(run))
    pd.testing.assert_frame_equal(table, run.rows)


def test_arrays_come_with_their_edges(folder: Path) -> None:
    run = results.read(folder)
    trial = "trials/halls-3/sac/seed_0"
    found = results.arrays(run, "train/visits", trial)
    assert set(found) == {"visits", "x_edges", "y_edges"}
    assert found["visits"].sum() == 4000
    assert results.arrays(run, "eval/visits", trial) == {}
    (folder / trial / "coverage.npz").write_bytes(b"PK\x03\x04 torn")
    assert results.arrays(run, "train/visits", trial) == {}


def test_finding_runs(finished: Path, tmp_path: Path) -> None:
    root = finished.parent
    assert results.find(str(finished)) == finished
    assert results.find("finished", root) == finished
    with pytest.raises(UserError, match=r"no run 'finished2' .*did you mean 'finished'"):
        results.find("finished2", root)
    with pytest.raises(UserError, match="there are no runs yet"):
        results.find("x", tmp_path)
    with pytest.raises(UserError, match="not a run folder"):
        results.read(tmp_path)


def test_newest_finished_run(tmp_path: Path) -> None:
    declared = experiment(seeds=1)
    for age, name in ((30, "old"), (20, "new"), (10, "going")):
        path = write_run(tmp_path / name, declared)
        os.utime(path / "spec.yaml", (2e9 - age, 2e9 - age))
    status = tmp_path / "going/trials/halls-3/sac/seed_0/status.json"
    status.write_text(json.dumps({"state": "running"}))
    assert results.newest_finished("smm/synthetic", tmp_path).name == "new"
    with pytest.raises(UserError, match="no finished run of smm/fig2c"):
        results.newest_finished("smm/fig2c", tmp_path)


@pytest.mark.parametrize(
    ("statistic", "score"),
    [("last", 3.0), ("last_half_mean", 2.5), ("mean", 2.0), ("max", 3.0), ("auc", 23 / 12)],
)
def test_statistics_of_a_curve(statistic: str, score: float) -> None:
    steps, values = np.array([1.0, 4.0, 7.0]), np.array([1.0, 2.0, 3.0])
    if statistic == "auc":
        steps = np.array([1.0, 5.0, 7.0])  # (4 * 1.5 + 2 * 2.5) / 6
        score = 11 / 6
    assert scores.summarise(steps, values, statistic) == pytest.approx(score)  # type: ignore[arg-type]


def test_statistic_of_no_curve_and_of_one_point() -> None:
    assert math.isnan(scores.summarise(np.array([]), np.array([]), "mean"))
    assert scores.summarise(np.array([5.0]), np.array([2.0]), "auc") == 2.0


def test_iterations_that_did_not_measure_are_left_out(folder: Path) -> None:
    progress = folder / "trials/halls-3/sac/seed_0/progress.jsonl"
    rows = [json.loads(line) for line in progress.read_text().splitlines()]
    for row in rows[:-1]:
        del row["coverage/halls_window"]
    progress.write_text("".join(json.dumps(row) + "\n" for row in rows))
    curves = scores.curves(results.read(folder), Metric(key="coverage/halls_window"))
    chosen = (curves["task"] == "halls-3") & (curves["variant"] == "sac") & (curves["seed"] == 0)
    assert curves[chosen]["env_steps"].tolist() == [20000]
    assert scores.curves(results.read(folder), Metric(key="no/such")).empty


def test_sweeps_are_scored_at_each_variants_best_point(tmp_path: Path) -> None:
    declared = experiment(seeds=2, tasks={"halls-3": {"halls": 3}})
    path = write_run(tmp_path / "sweep", declared)
    shutil.rmtree(path / "trials")
    rng = np.random.default_rng(0)
    for alpha, level in ((0.1, 0.3), (0.5, 0.8)):
        for seed in (0, 1):
            trial = trial_of(declared, "halls-3", "smm", seed).at({"alpha": alpha})
            write_trial(path, trial, level, rng)
    run = results.read(path)
    assert run.is_sweep
    assert len(run.trials) == 4
    best = scores.best_points(run)["smm"]
    kept = scores.at_best_points(run, run.trials)
    assert {values["alpha"] for values in kept["search"]} == {0.5}
    assert set(kept["point"]) == {best}


def test_a_point_of_several_seeds_counts_by_their_interquartile_mean(tmp_path: Path) -> None:
    declared = experiment(seeds=4, tasks={"halls-3": {"halls": 3}})
    path = write_run(tmp_path / "sweep", declared)
    shutil.rmtree(path / "trials")
    # Of the last returns (10 a level): one lucky seed of 0.1, one unlucky seed of 0.5.
    levels = {0.1: (1.0, 1.0, 2.0, 90.0), 0.5: (-40.0, 3.0, 4.0, 4.0), 0.9: (5.0, 5.0, 5.0, 5.0)}
    for alpha, of_seeds in levels.items():
        for seed, level in enumerate(of_seeds):
            trial = trial_of(declared, "halls-3", "smm", seed).at({"alpha": alpha})
            write_trial(path, trial, level, np.random.default_rng(0))
    for seed in (1, 2):  # more than a quarter
        status = RunFolder(path).trial(
            trial_of(declared, "halls-3", "smm", seed).at({"alpha": 0.9}).id
        )
        status.set_status("failed", 0, error={"message": "NaN"})
    run = results.read(path)
    metric = Metric(key="train/return_mean", statistic="last")

    found = dict(scores.point_scores(run, metric)[["point", "score"]].itertuples(index=False))

    points = {alpha: point_name({"alpha": alpha}) for alpha in levels}
    assert found == {points[0.1]: 15.0, points[0.5]: 35.0, points[0.9]: -math.inf}
    chosen = run.experiment.model_copy(update={"metrics": {"return": metric}})
    assert scores.best_points(replace(run, experiment=chosen)) == {"smm": points[0.5]}
    ranking = tables.sweep_points(replace(run, experiment=chosen))
    assert ranking["score"].tolist() == [35.0, 15.0, -math.inf]
    assert ranking["finished"].tolist() == [4, 4, 2]


def test_plan_and_results_agree_on_the_trials(finished: Path) -> None:
    run = results.read(finished)
    planned = {trial.id for trial in trials_of(run.experiment)}
    assert set(run.trials["folder"].str.removeprefix("trials/")) == planned
