from __future__ import annotations

import io
import logging
import os
import shutil
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from fakes import fake_experiment
from mlflow import MlflowClient
from mlflow.entities import Run
from rich.console import Console

from expedition.platform import manifest
from expedition.platform.mlflow_store import METRICS_A_CALL, Sender, batches, trial_params
from expedition.platform.plan import trials_of
from expedition.platform.spec import to_yaml
from expedition.platform.store import RunFolder, read_json
from expedition.platform.tracking import Mirror, tracking_uri
from expedition.platform.trial_run import TrialRun


@pytest.fixture(scope="module")
def empty_store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A new SQLite store, made once: creating its tables takes seconds."""
    file = tmp_path_factory.mktemp("store") / "mlflow.db"
    logging.getLogger("alembic").setLevel(logging.ERROR)
    MlflowClient(f"sqlite:///{file}").search_experiments()
    return file


@pytest.fixture
def folder(tmp_path: Path, empty_store: Path, monkeypatch: pytest.MonkeyPatch) -> RunFolder:
    """A run with a finished, a failed and a pending trial, beside an empty store."""
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    shutil.copy(empty_store, tmp_path / "mlflow.db")
    variants = {
        "good": {"algorithm": "fake", "config": {"gain": 0.5}},
        "nan": {"algorithm": "fake", "config": {"nan_at": 45}},
    }
    experiment = fake_experiment(variants=variants, seeds=2, preset="quick")
    run = RunFolder(tmp_path / "run")
    run.path.mkdir()
    run.spec.write_text(to_yaml(experiment))
    manifest.begin(run, ["expedition"], "quick")
    for trial in trials_of(experiment):
        run.trial(trial.id).write_trial(trial.to_dict())
    _train(run, "default/good/seed_0", 100)
    _train(run, "default/nan/seed_0", 100)
    return run


def _train(folder: RunFolder, trial_id: str, steps: int) -> None:
    """Train a trial up to a step, as if it had been killed there."""
    trial = next(t for t in trials_of(_experiment(folder)) if t.id == trial_id)
    run = TrialRun(trial, folder.trial(trial_id))
    try:
        while not run.finished and run.env_steps < steps:
            run.advance()
    except RuntimeError as error:
        run.fail(error)
    run.close()


def _experiment(folder: RunFolder) -> Any:
    from expedition.platform.spec import load_resolved

    return load_resolved(folder.spec)


def _runs(client: MlflowClient) -> dict[str, Run]:
    found = client.get_experiment_by_name("test/fake")
    assert found is not None
    return {run.info.run_name: run for run in client.search_runs([found.experiment_id])}


def test_a_launch_is_a_parent_and_its_started_trials_are_children(folder: RunFolder) -> None:
    uri = tracking_uri(folder)
    Sender(folder, uri, artifact_limit_mib=1).send(final=True)

    client = MlflowClient(uri)
    runs = _runs(client)
    parent, good, nan = runs["run"], runs["default/good/seed_0"], runs["default/nan/seed_0"]
    assert len(runs) == 3
    assert [run.info.status for run in (parent, good, nan)] == ["FAILED", "FINISHED", "FAILED"]
    assert good.data.tags["mlflow.parentRunId"] == parent.info.run_id
    wanted = {
        "paper": "test", "figure": "Fig. 0", "variant": "good", "task": "default", "seed": "0",
        "preset": "quick",
    }  # fmt: skip
    assert wanted.items() <= good.data.tags.items()
    assert good.data.tags["code_version"]
    assert "critic_loss is nan" in nan.data.tags["error"]
    assert good.data.params["gain"] == "0.5"
    assert good.data.params["algorithm"] == "fake"
    assert len(good.data.params) < 12

    history = client.get_metric_history(good.info.run_id, "train/return_mean")
    rows = folder.trial("default/good/seed_0").rows()
    assert [point.step for point in history] == [row["env_steps"] for row in rows]
    assert [point.value for point in history] == [row["train/return_mean"] for row in rows]
    names = {a.path for a in client.list_artifacts(good.info.run_id)}
    assert names == {"checkpoint", "coverage.npz", "trial.json"}
    assert {a.path for a in client.list_artifacts(parent.info.run_id)} >= {"spec.yaml"}


def test_checkpoints_over_the_limit_are_not_sent(folder: RunFolder) -> None:
    uri = tracking_uri(folder)
    Sender(folder, uri, artifact_limit_mib=0).send()
    client = MlflowClient(uri)
    run_id = _runs(client)["default/good/seed_0"].info.run_id
    assert {a.path for a in client.list_artifacts(run_id)} == {"coverage.npz", "trial.json"}


def test_a_resumed_launch_continues_the_same_runs_and_sends_only_what_is_new(
    folder: RunFolder,
) -> None:
    uri, late = tracking_uri(folder), "default/good/seed_1"
    _train(folder, late, 40)
    Sender(folder, uri, 1).send()
    before = {name: run.info.run_id for name, run in _runs(MlflowClient(uri)).items()}
    assert read_json(folder.trial(late).path / "mlflow.json")["rows_sent"] == 4

    _train(folder, late, 100)  # rows after the checkpoint at 30 steps are made again
    Sender(folder, uri, 1).send(final=True)

    client = MlflowClient(uri)
    assert {name: run.info.run_id for name, run in _runs(client).items()} == before
    points = client.get_metric_history(before[late], "train/return_mean")
    # Ordered by training time, in which a row that was made again may come before its first form.
    assert sorted(p.step for p in points) == list(range(10, 101, 10))


def test_rows_sent_twice_are_kept_once(folder: RunFolder) -> None:
    """A crash after the call and before the cursor was written."""
    uri = tracking_uri(folder)
    Sender(folder, uri, 1).send()
    cursor = folder.trial("default/good/seed_0").path / "mlflow.json"
    cursor.write_text(cursor.read_text().replace('"rows_sent": 10', '"rows_sent": 0'))
    Sender(folder, uri, 1).send()

    client = MlflowClient(uri)
    run_id = _runs(client)["default/good/seed_0"].info.run_id
    assert len(client.get_metric_history(run_id, "train/return_mean")) == 10


def test_a_lost_run_id_finds_the_run_again(folder: RunFolder) -> None:
    uri = tracking_uri(folder)
    Sender(folder, uri, 1).send()
    before = {run.info.run_id for run in _runs(MlflowClient(uri)).values()}
    parent = read_json(folder.path / "mlflow.json")
    (folder.path / "mlflow.json").write_text(f'{{"key": "{parent["key"]}"}}')
    (folder.trial("default/good/seed_0").path / "mlflow.json").unlink()

    Sender(folder, uri, 1).send()

    assert {run.info.run_id for run in _runs(MlflowClient(uri)).values()} == before


def test_a_run_whose_creation_was_not_answered_is_not_created_twice(
    folder: RunFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    uri = tracking_uri(folder)
    sender = Sender(folder, uri, 1)
    create = sender._client.create_run

    def unanswered(experiment: str, *, run_name: str, tags: dict[str, str]) -> Run:
        run = create(experiment, run_name=run_name, tags=tags)
        if run_name != "run":
            raise ConnectionError("no answer")
        return run

    with monkeypatch.context() as patch:
        patch.setattr(sender._client, "create_run", unanswered)
        with pytest.raises(ConnectionError):
            sender.send()
    sender.send()
    (found,) = sender._client.search_experiments(filter_string="name = 'test/fake'")
    names = [r.info.run_name for r in sender._client.search_runs([found.experiment_id])]
    assert sorted(names) == ["default/good/seed_0", "default/nan/seed_0", "run"]


def test_calls_stay_within_the_limits_of_mlflow() -> None:
    rows = [
        {"env_steps": k, "iteration": k, "time/seconds": 0.1 * k, "bad": None}
        | {f"m{i}": float(i) for i in range(30)}
        for k in range(1, 101)
    ]
    calls = list(batches(rows, start_ms=1000))
    assert all(len(call) <= METRICS_A_CALL for call in calls)
    assert sum(len(call) for call in calls) == 100 * 32  # 30, env_steps and time
    assert (calls[0][0].step, calls[0][0].timestamp) == (1, 1100)
    assert not {"bad", "iteration"} & {metric.key for call in calls for metric in call}


def test_params_are_what_is_set_and_the_essentials() -> None:
    trial = trials_of(fake_experiment(env_config={"a": {"b": 1}}))[0]
    assert trial_params(trial) == {
        "algorithm": "fake", "env": "CartPole-v1", "task": "default", "variant": "low",
        "seed": 0, "budget": 100, "env_config.a.b": 1, "gain": 0.5,
    }  # fmt: skip


def test_the_environment_chooses_the_server(
    folder: RunFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert tracking_uri(folder) == f"sqlite:///{folder.path.parent}/mlflow.db"
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://tracking:5000")
    assert tracking_uri(folder) == "http://tracking:5000"


@pytest.fixture
def port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@pytest.fixture
def server(port: int, empty_store: Path, tmp_path: Path) -> Iterator[Any]:
    """Starts a real MLflow server on demand; ended after the test."""
    started: list[subprocess.Popen[bytes]] = []
    store = tmp_path / "server.db"
    shutil.copy(empty_store, store)

    def start() -> None:
        command = [
            sys.executable, "-m", "mlflow", "server", "--host", "127.0.0.1", "--port", str(port),
            "--backend-store-uri", f"sqlite:///{store}", "--workers", "1",
            "--artifacts-destination", str(tmp_path / "served"),
        ]  # fmt: skip
        quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
        started.append(subprocess.Popen(command, start_new_session=True, **quiet))
        deadline = time.monotonic() + 90
        while time.monotonic() < deadline:
            try:
                urllib.request.urlopen(f"http://127.0.0.1:{port}/health", timeout=1).close()
                return
            except OSError:
                time.sleep(0.2)
        raise TimeoutError("the MLflow server did not start")

    yield start
    for process in started:
        os.killpg(process.pid, 15)
        process.wait(timeout=30)


@pytest.mark.slow
def test_a_server_that_is_down_costs_one_warning_and_gets_everything_later(
    folder: RunFolder, server: Any, port: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    uri = f"http://127.0.0.1:{port}"
    monkeypatch.setenv("MLFLOW_TRACKING_URI", uri)
    said = io.StringIO()
    mirror = Mirror(folder, 1, Console(file=said))
    begun = time.monotonic()
    mirror.start()
    mirror.close()

    assert time.monotonic() - begun < 30
    assert said.getvalue().count("does not answer") == 1
    assert f"expedition track {folder.path}" in said.getvalue().replace("\n", "")

    server()
    said.truncate(0)
    mirror = Mirror(folder, 1, Console(file=said))
    mirror.close()

    assert said.getvalue().strip("\x00") == ""
    client = MlflowClient(uri)
    runs = _runs(client)
    assert set(runs) == {"run", "default/good/seed_0", "default/nan/seed_0"}
    run_id = runs["default/good/seed_0"].info.run_id
    assert len(client.get_metric_history(run_id, "train/return_mean")) == 10
    assert {a.path for a in client.list_artifacts(run_id)} >= {"checkpoint", "coverage.npz"}
