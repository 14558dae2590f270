"""The commands of clusters: exit statuses, and one line for every mistake."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from expedition.cluster import dashboard, local, submission
from expedition.cluster.cli import _storage
from expedition.cluster.dashboard import Dashboard
from expedition.cluster.submission import Job
from expedition.platform.cli.app import run
from expedition.platform.errors import UserError
from expedition.platform.places import address

NOWHERE = "http://127.0.0.1:1"


def _job(number: int, status: str) -> Job:
    return Job(f"mine.{number}", "mine", "smm/fig2c", status, "", 0.0, "/nfs", "python", "")


@pytest.mark.parametrize(
    ("words", "line"),
    [
        (["submit", "--address", NOWHERE, "--", "run", "smm/fig2c"], "no Ray cluster at --address"),
        (["submit", "--", "run", "smm/fig2c"], "no cluster: start one with expedition cluster up"),
        (["jobs", "--address", NOWHERE], f"no Ray cluster at --address {NOWHERE}"),
        (["logs", "--address", NOWHERE], f"no Ray cluster at --address {NOWHERE}"),
        (["stop", "--address", "ray://head"], "jobs go to the dashboard"),
        (["cluster", "status"], "no local cluster"),
        (["cluster", "up", "--nodes", "2", "--cpus", "1,x"], "--cpus 1,x: whole numbers"),
        (["cluster", "up", "--nodes", "2", "--cpus", "1,1,1"], "--cpus names 3 nodes"),
    ],
)
def test_a_mistake_is_one_line_and_status_2(
    words: list[str], line: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(words) == 2
    said = capsys.readouterr()
    assert said.out == ""
    assert said.err.startswith("expedition: ")
    assert line in said.err
    assert said.err.count("\n") == 1


def test_down_without_a_cluster_is_no_mistake(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["cluster", "down"]) == 0
    assert capsys.readouterr().out == "there is no local cluster\n"


def test_results_go_to_a_folder_that_the_nodes_see(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("EXPEDITION_RESULTS", str(tmp_path / "mine"))
    assert _storage(None, local=True) == tmp_path / "mine"
    assert _storage(Path("/nfs/results"), local=False) == Path("/nfs/results")
    with pytest.raises(UserError, match="--storage is needed"):
        _storage(None, local=False)
    with pytest.raises(UserError, match="--storage results: must begin with /"):
        _storage(Path("results"), local=False)
    for here in (True, False):
        bucket = _storage(Path("s3://bucket/results"), local=here)
        assert address(bucket / "run") == "s3://bucket/results/run"


def test_a_job_is_named_by_its_id_or_its_run(monkeypatch: pytest.MonkeyPatch) -> None:
    there = [_job(2, "RUNNING"), _job(1, "FAILED")]
    monkeypatch.setattr(submission, "jobs", lambda _: there)
    at = Dashboard(NOWHERE)
    assert submission.find(at).id == "mine.2"
    assert submission.find(at, "mine").id == "mine.2"
    assert submission.find(at, "mine.1").id == "mine.1"
    with pytest.raises(UserError, match=r"unknown job 'mine\.3'; did you mean 'mine\.\d'"):
        submission.find(at, "mine.3")
    there.clear()
    with pytest.raises(UserError, match=f"no jobs at {NOWHERE}"):
        submission.find(at)


def test_stop_waits_until_a_job_has_ended(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    asked: list[str] = []
    statuses = iter(["RUNNING", "RUNNING", "RUNNING", "STOPPED"])
    client: Any = SimpleNamespace(stop_job=asked.append)
    monkeypatch.setattr(Dashboard, "jobs", lambda _: client)
    monkeypatch.setattr(
        submission, "jobs", lambda _: [_job(2, next(statuses)), _job(1, "SUCCEEDED")]
    )
    monkeypatch.setattr(submission, "_POLL_S", 0.0)
    assert run(["stop", "mine", "--address", NOWHERE]) == 0
    assert asked == ["mine.2"]
    assert capsys.readouterr().out.splitlines() == [
        "job mine.2 finishes its iterations and saves its trials, for 60 s at most",
        "job mine.2 has ended: STOPPED",
    ]
    monkeypatch.setattr(submission, "jobs", lambda _: [_job(2, "STOPPED")])
    assert run(["stop", "mine.2", "--address", NOWHERE]) == 0
    assert capsys.readouterr().out == "job mine.2 has ended: STOPPED\n"
    assert asked == ["mine.2"]  # and not again


def test_a_job_that_does_not_end_is_told(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    client: Any = SimpleNamespace(stop_job=lambda _: True)
    monkeypatch.setattr(Dashboard, "jobs", lambda _: client)
    monkeypatch.setattr(submission, "jobs", lambda _: [_job(2, "RUNNING")])
    monkeypatch.setattr(submission, "STOP_WAIT_S", 0)
    monkeypatch.setattr(submission, "STOP_GRACE_S", 0)
    assert run(["stop", "--address", NOWHERE]) == 2
    assert "job mine.2 is being stopped and has not ended" in capsys.readouterr().err


def test_of_what_the_cluster_raises_the_last_line_is_told() -> None:
    text = (
        "Request failed with status code 500: Traceback (most recent call last):\n"
        '  File "job_head.py", line 1, in submit\nValueError: job mine.1 exists already\n.'
    )
    with (
        pytest.raises(UserError, match=rf"cluster at {NOWHERE}: ValueError: job mine\.1 exists al"),
        submission._explained(Dashboard(NOWHERE)),
    ):
        raise RuntimeError(text)


def test_a_password_in_the_tracking_address_is_not_sent() -> None:
    said: list[str] = []
    with pytest.raises(UserError, match="MLFLOW_TRACKING_USERNAME and MLFLOW_TRACKING_PASSWORD"):
        submission._check_tracking("https://me:secret@mlflow.org", said.append)
    submission._check_tracking(NOWHERE, said.append)
    assert "the run goes on without it" in said[0]
    submission._check_tracking("sqlite:////nfs/mlflow.db", said.append)
    assert len(said) == 1


def test_the_platform_does_not_import_the_cluster() -> None:
    root = Path(__file__).parents[2]
    for folder in ("platform", "algorithms", "envs"):
        for file in (root / folder).rglob("*.py"):
            assert "expedition.cluster" not in file.read_text(encoding="utf-8"), file


def test_a_local_cluster_that_died_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    dead = Dashboard(NOWHERE, local=True)
    with pytest.raises(UserError, match="clear it away with expedition cluster down"):
        dead.nodes()
    assert local._known(dead) is None
    assert dashboard.read_token(Path("/nowhere")) is None
