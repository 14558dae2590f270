from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from fakes import fake_experiment

from expedition.algorithms.core.errors import NonFiniteLossError
from expedition.platform import checkpoints, trial_run
from expedition.platform.failures import refuse_non_finite
from expedition.platform.objective import Objective
from expedition.platform.ownership import OwnershipLostError
from expedition.platform.plan import Trial, trials_of
from expedition.platform.resources import request_for
from expedition.platform.store import RunFolder, TrialFolder
from expedition.platform.trainable import ExperimentTrial, trial_from
from expedition.platform.trial_run import TrialRun


def _trial(**config: Any) -> Trial:
    variants = {"one": {"algorithm": "fake", "config": config}}
    return trials_of(fake_experiment(variants=variants))[0]


def _finish(run: TrialRun) -> list[dict[str, Any]]:
    while not run.finished:
        run.advance()
    run.close()
    return run.rows


def _without_time(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [{k: v for k, v in row.items() if not k.startswith("time/")} for row in rows]


@pytest.fixture(autouse=True)
def _earlier_owners_do_not_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    """In these tests a killed trial is one that is left open: nobody lets go of its folder."""
    monkeypatch.setattr(trial_run, "HANDOVER_S", 0.05)


@pytest.fixture
def folder(tmp_path: Path) -> TrialFolder:
    return TrialFolder(tmp_path / "trial")


@pytest.fixture
def reference(tmp_path: Path) -> list[dict[str, Any]]:
    """Rows of a trial that was never interrupted."""
    return _without_time(_finish(TrialRun(_trial(), TrialFolder(tmp_path / "reference"))))


def test_a_trial_records_rows_checkpoints_coverage_and_its_end(folder: TrialFolder) -> None:
    rows = _finish(TrialRun(_trial(), folder))

    assert [row["env_steps"] for row in rows] == list(range(10, 101, 10))
    assert folder.rows() == rows
    assert rows[-1]["iteration"] == 10
    assert rows[-1]["time/seconds"] >= rows[0]["time/seconds"] > 0
    assert folder.status() == {"state": "done", "env_steps": 100}
    assert sorted(path.name for path in folder.checkpoints.iterdir()) == ["000009", "000010"]
    with np.load(folder.coverage) as arrays:
        assert arrays["train__visits"].tolist() == [[100, 100], [100, 100]]
    assert Trial.from_dict(folder.read_trial()) == _trial()


def test_a_killed_trial_goes_on_with_the_same_numbers(
    folder: TrialFolder, reference: list[dict[str, Any]]
) -> None:
    killed = TrialRun(_trial(), folder)
    for _ in range(8):  # the newest checkpoint is of iteration 6
        killed.advance()

    resumed = TrialRun(_trial(), folder)

    assert resumed.rows[-1]["iteration"] == 6
    assert _without_time(_finish(resumed)) == reference
    assert _without_time(folder.rows()) == reference


def test_seconds_go_on_after_a_resume(folder: TrialFolder) -> None:
    killed = TrialRun(_trial(sleep_s=0.01), folder)
    for _ in range(6):
        killed.advance()

    resumed = TrialRun(_trial(sleep_s=0.01), folder)
    row = resumed.advance()
    resumed.close()

    assert row["time/seconds"] > killed.rows[5]["time/seconds"]


def test_a_damaged_checkpoint_falls_back_to_the_one_before_and_says_so(
    folder: TrialFolder, reference: list[dict[str, Any]]
) -> None:
    killed = TrialRun(_trial(), folder)
    for _ in range(8):
        killed.advance()
    (folder.checkpoints / "000006" / "fake.json").write_text("{}")

    resumed = TrialRun(_trial(), folder)

    assert resumed.rows[-1]["iteration"] == 3
    assert resumed.notes == [
        f"checkpoint {folder.checkpoints / '000006'} is not readable; going on from iteration 3"
    ]
    assert _without_time(_finish(resumed)) == reference


@pytest.mark.parametrize("iterations", [2, 5])
def test_without_any_readable_checkpoint_a_trial_starts_again(
    folder: TrialFolder, reference: list[dict[str, Any]], iterations: int
) -> None:
    killed = TrialRun(_trial(), folder)
    for _ in range(iterations):
        killed.advance()
    damaged = [*folder.checkpoints.iterdir()] if folder.checkpoints.exists() else []
    for path in damaged:
        (path / "fake.json").unlink()

    resumed = TrialRun(_trial(), folder)

    assert resumed.rows == []
    assert resumed.notes == [
        f"checkpoint {path} is not readable; starting from the beginning" for path in damaged
    ]
    assert _without_time(_finish(resumed)) == reference
    assert len(damaged) == iterations // 3


def test_rows_are_on_the_disk_before_the_checkpoint_that_goes_on_after_them(
    folder: TrialFolder, watch_disk: Callable[[], list[str]]
) -> None:
    run = TrialRun(_trial(), folder)
    done = watch_disk()
    for _ in range(4):
        run.advance()
    run.close()
    assert done.count("progress.jsonl") == 1  # once a checkpoint, not once a row
    assert done.index("progress.jsonl") < done.index("rename to 000003")


def test_a_checkpoint_whose_rows_were_lost_gives_way_to_the_one_before(
    folder: TrialFolder, reference: list[dict[str, Any]]
) -> None:
    killed = TrialRun(_trial(), folder)
    for _ in range(8):
        killed.advance()
    lines = folder.progress.read_text().splitlines(keepends=True)
    folder.progress.write_text("".join([*lines[:4], lines[4][:20]]))  # as after a power cut

    resumed = TrialRun(_trial(), folder)

    newest = folder.checkpoints / "000006"
    assert resumed.notes == [
        f"checkpoint {newest} goes on after 6 rows, of which 4 are there; going on from iteration 3"
    ]
    assert _without_time(_finish(resumed)) == reference
    assert _without_time(folder.rows()) == reference


def test_a_trial_killed_between_its_last_checkpoint_and_its_end_is_done(
    folder: TrialFolder, reference: list[dict[str, Any]]
) -> None:
    _finish(TrialRun(_trial(), folder))
    folder.set_status("running", 90)

    resumed = TrialRun(_trial(), folder)
    resumed.close()

    assert folder.status() == {"state": "done", "env_steps": 100}
    assert _without_time(resumed.rows) == reference


def test_an_interrupted_trial_saves_what_it_has(
    folder: TrialFolder, reference: list[dict[str, Any]]
) -> None:
    run = TrialRun(_trial(), folder)
    for _ in range(8):
        run.advance()
    run.interrupt()

    resumed = TrialRun(_trial(), folder)

    assert folder.status() == {"state": "running", "env_steps": 80}
    assert resumed.rows[-1]["iteration"] == 8
    assert _without_time(_finish(resumed)) == reference


def test_a_worker_that_lost_its_folder_writes_nothing_more(
    folder: TrialFolder, reference: list[dict[str, Any]]
) -> None:
    orphan = TrialRun(_trial(), folder)
    orphan.advance()
    owner = TrialRun(_trial(), folder)

    with pytest.raises(OwnershipLostError):
        orphan.advance()
    orphan.interrupt()

    assert _without_time(_finish(owner)) == reference
    assert _without_time(folder.rows()) == reference


def test_a_nan_loss_fails_with_step_loss_and_last_good_checkpoint(folder: TrialFolder) -> None:
    run = TrialRun(_trial(nan_at=75), folder)
    with pytest.raises(NonFiniteLossError, match="critic_loss is nan at env step 80") as caught:
        _finish(run)

    report = run.fail(caught.value)

    assert report["type"] == "NonFiniteLossError"
    assert report["step"] == 80
    assert report["last_good_checkpoint"] == str(folder.checkpoints / "000006")
    assert folder.status() == {"state": "failed", "env_steps": 80, "error": report}
    assert folder.rows()[-1]["env_steps"] == 70


def test_losses_of_any_algorithm_are_looked_at() -> None:
    good = {"learners": {"default_policy": {"policy_loss": 1.0, "entropy": math.nan}}}
    refuse_non_finite(good, 5)
    bad = {"learners": {"a": {"vf_loss": -math.inf}}}
    with pytest.raises(NonFiniteLossError, match="vf_loss is -inf at env step 5"):
        refuse_non_finite(bad, 5)


@pytest.mark.parametrize(
    ("kind", "expected"), [("last", 3.0), ("max", 5.0), ("mean", 3.0), ("last_half_mean", 11 / 3)]
)
def test_the_objective_is_the_statistic_of_the_curve_so_far(kind: Any, expected: float) -> None:
    rows = [{"env_steps": 10 * k, "x": x} for k, x in enumerate([1.0, 3.0, 5.0, 3.0], 1)]
    rows.append({"env_steps": 50, "x": None})
    assert Objective("x", kind, True).of(rows) == pytest.approx(expected)


def test_a_failed_or_silent_trial_has_the_worst_objective() -> None:
    rows = [{"env_steps": 10, "x": 1.0}]
    assert Objective("x", "last", True).of(rows, failed=True) == -math.inf
    assert Objective("y", "last", False).of(rows) == math.inf


def test_a_process_runs_one_trial_after_another(tmp_path: Path) -> None:
    run = RunFolder(tmp_path)
    trials = trials_of(fake_experiment())
    for trial in trials:
        run.trial(trial.id).write_trial(trial.to_dict())
    tune_trial = ExperimentTrial({"run": str(tmp_path), "trial": trials[0].id})

    first = [tune_trial.train() for _ in range(10)][-1]
    assert tune_trial.reset({"run": str(tmp_path), "trial": trials[1].id})
    second = [tune_trial.train() for _ in range(10)][-1]
    tune_trial.stop()

    assert (first["trial"], first["state"], first["done"]) == (trials[0].id, "done", True)
    assert (second["trial"], second["env_steps"], second["done"]) == (trials[1].id, 100, True)
    assert second["train/return_mean"] > 1.5 * first["train/return_mean"] > 0


def test_a_process_whose_trial_tune_gave_to_another_leaves_it_alone(tmp_path: Path) -> None:
    run, (trial, other) = RunFolder(tmp_path), trials_of(fake_experiment())
    for one in (trial, other):
        run.trial(one.id).write_trial(one.to_dict())
    free = ExperimentTrial({"run": str(tmp_path), "trial": other.id})
    free.train()
    free.reset({"run": str(tmp_path), "trial": trial.id})
    free.train()
    late = ExperimentTrial({"run": str(tmp_path), "trial": trial.id})  # was asked for before
    rows = [free.train() for _ in range(9)]
    late.stop()
    free.stop()

    assert (rows[-1]["state"], rows[-1]["env_steps"]) == ("done", 100)
    assert run.trial(trial.id).status()["state"] == "done"


def test_a_failure_is_a_result_and_the_process_stays_usable(tmp_path: Path) -> None:
    run = RunFolder(tmp_path)
    bad, good = _trial(refuse=True), trials_of(fake_experiment())[0]
    for trial in (bad, good):
        run.trial(trial.id).write_trial(trial.to_dict())

    tune_trial = ExperimentTrial({"run": str(tmp_path), "trial": bad.id})
    failed = tune_trial.train()
    tune_trial.reset({"run": str(tmp_path), "trial": good.id})
    after = tune_trial.train()
    tune_trial.stop()

    assert (failed["state"], failed["done"]) == ("failed", True)
    assert "refuse=True: must be False" in failed["error"]["message"]
    assert run.trial(bad.id).status()["state"] == "failed"
    assert (after["state"], after["env_steps"]) == ("running", 10)


def test_a_scheduler_can_copy_one_trial_into_another(tmp_path: Path) -> None:
    """PBT: the copy has the donor's state and the values that the scheduler chose."""
    run = RunFolder(tmp_path)
    donor, heir = (
        trials_of(fake_experiment())[0].at({"gain": gain}, f"member_{k:02d}")
        for k, gain in enumerate((0.5, 1.0))
    )
    for trial in (donor, heir):
        run.trial(trial.id).write_trial(trial.to_dict())
    source = ExperimentTrial({"run": str(tmp_path), "trial": donor.id, "search": {"gain": 0.5}})
    for _ in range(4):
        source.train()
    source.save_checkpoint(str(tmp_path / "exchange"))
    source.stop()

    target = ExperimentTrial({"run": str(tmp_path), "trial": heir.id, "search": {"gain": 3.0}})
    for _ in range(6):
        target.train()
    target.load_checkpoint(str(tmp_path / "exchange"))
    row = target.train()
    assert row["env_steps"] == 50
    assert row["search/gain"] == 3.0
    rows = run.trial(heir.id).rows()
    assert [r["iteration"] for r in rows] == [1, 2, 3, 4, 5]
    assert run.trial(heir.id).read_trial()["search"] == {"gain": 3.0}

    # As after kill -9: the copy goes on, not the trial that it replaced, which had been further.
    target._run.close()  # type: ignore[union-attr]
    resumed = ExperimentTrial({"run": str(tmp_path), "trial": heir.id, "search": {"gain": 3.0}})
    again = resumed.train()
    resumed.stop()
    assert (again["iteration"], again["train/return_mean"]) == (5, row["train/return_mean"])


def test_a_copy_of_a_trial_that_is_further_goes_on_after_a_crash(tmp_path: Path) -> None:
    """Its rows leave out the iterations that it never made, and its checkpoint knows that."""
    run, (donor, heir) = RunFolder(tmp_path), trials_of(fake_experiment())
    for trial in (donor, heir):
        run.trial(trial.id).write_trial(trial.to_dict())
    source = ExperimentTrial({"run": str(tmp_path), "trial": donor.id})
    for _ in range(4):
        source.train()
    source.save_checkpoint(str(tmp_path / "exchange"))
    source.stop()
    target = ExperimentTrial({"run": str(tmp_path), "trial": heir.id})
    for _ in range(2):
        target.train()
    target.load_checkpoint(str(tmp_path / "exchange"))
    before = target.train()
    target._run.close()  # type: ignore[union-attr]

    resumed = ExperimentTrial({"run": str(tmp_path), "trial": heir.id})
    again = resumed.train()
    resumed.stop()
    assert "notes" not in again
    assert (again["iteration"], again["train/return_mean"]) == (5, before["train/return_mean"])
    assert [row["iteration"] for row in run.trial(heir.id).rows()] == [1, 2, 5]


def test_a_copy_that_does_not_fit_fails_its_trial_and_says_why(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run, (trial, _) = RunFolder(tmp_path), trials_of(fake_experiment())
    run.trial(trial.id).write_trial(trial.to_dict())
    member = ExperimentTrial({"run": str(tmp_path), "trial": trial.id})
    member.train()
    member.save_checkpoint(str(tmp_path / "exchange"))

    def refuse(path: str) -> None:
        raise RuntimeError("size mismatch for policy.weight")

    monkeypatch.setattr(member._run.algorithm, "restore_from_path", refuse)  # type: ignore[union-attr]
    member.load_checkpoint(str(tmp_path / "exchange"))
    result = member.train()
    member.stop()
    assert (result["state"], result["done"]) == ("failed", True)
    assert "size mismatch for policy.weight" in run.trial(trial.id).status()["error"]["message"]


def test_a_sweep_configuration_means_a_cell_at_a_point() -> None:
    cells = {"low": [trial.to_dict() for trial in trials_of(fake_experiment(seeds=2))[::2]]}
    config = {"run": "x", "cells": cells, "group": "low", "search": {"gain": 2.0}}

    first, second = trial_from(config), trial_from({**config, "__trial_index__": 1})

    assert (first.seed, second.seed) == (0, 1)
    assert first.config["gain"] == second.config["gain"] == 2.0
    assert first.point == second.point


def test_a_trial_asks_for_its_own_and_its_remote_runners_resources() -> None:
    trial = trials_of(fake_experiment(resources={"cpus": 2, "gpus": 0}))[0]
    assert request_for(trial).bundles == [{"CPU": 2.0}]

    remote = _trial(num_env_runners=2)
    assert request_for(remote).bundles == [{"CPU": 1.0}, {"CPU": 1}, {"CPU": 1}]


def test_a_full_disk_is_one_line(folder: TrialFolder, monkeypatch: pytest.MonkeyPatch) -> None:
    from expedition.platform.errors import UserError

    run = TrialRun(_trial(), folder)
    run.advance()

    def full(*_: Any) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(checkpoints, "publish", full)
    with pytest.raises(UserError, match=r"cannot write .*No space left on device"):
        _finish(run)
