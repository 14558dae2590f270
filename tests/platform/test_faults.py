"""Faults of the disk and of the tracking server in the middle of a run, and what is left after."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from fakes import fake_experiment, finish
from mlflow import MlflowClient
from rich.console import Console

from expedition.platform import checkpoints, manifest, tracking
from expedition.platform.plan import trials_of
from expedition.platform.spec import to_yaml
from expedition.platform.store import RunFolder, TrialFolder
from expedition.platform.tracking import Mirror
from expedition.platform.trial_run import TrialRun

FULL = """
import json, resource, sys
from pathlib import Path
from expedition.platform.plan import Trial
from expedition.platform.store import TrialFolder
from expedition.platform.trial_run import TrialRun

run = TrialRun(Trial.from_dict(json.loads(sys.argv[1])), TrialFolder(Path(sys.argv[2])))
while run.env_steps < 50:
    run.advance()
# From here on no file can grow: writes fail in the system, as on a disk that is full.
size = run.folder.progress.stat().st_size + 10
resource.setrlimit(resource.RLIMIT_FSIZE, (size, resource.RLIM_INFINITY))
try:
    run.advance()
except Exception as error:
    print(f"{type(error).__name__}: {error}")
    run.fail(error)
run.close()
"""


@pytest.mark.slow
def test_a_disk_that_fills_up_keeps_the_checkpoints_and_the_run_ends_with_the_same_numbers(
    tmp_path: Path,
) -> None:
    trial, _ = trials_of(fake_experiment())
    folder = TrialFolder(tmp_path / "full")
    done = subprocess.run(
        [sys.executable, "-c", FULL, json.dumps(trial.to_dict()), str(folder.path)],
        capture_output=True, text=True, check=True, timeout=120,
    )  # fmt: skip
    assert done.stdout == (
        f"UserError: cannot write {folder.path}: File too large;"
        " free it or choose another with --results\n"
    )
    assert folder.status()["error"]["last_good_checkpoint"].endswith("000003")
    kept = [found for _, found in checkpoints.newest_first(folder.checkpoints)]
    assert [found.iteration for found in kept if found] == [3]

    assert finish(trial, folder) == finish(trial, TrialFolder(tmp_path / "reference"))


@pytest.fixture
def server(tmp_path: Path) -> Iterator[tuple[str, Callable[[], None], Callable[[], None]]]:
    """Address of a tracking server, and functions that start and kill it."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [
        sys.executable, "-m", "mlflow", "server", "--port", str(port), "--workers", "1",
        "--backend-store-uri", f"sqlite:///{tmp_path}/server.db",
        "--artifacts-destination", str(tmp_path / "artifacts"),
    ]  # fmt: skip
    running: list[subprocess.Popen[bytes]] = []

    def start() -> None:
        quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
        running.append(subprocess.Popen(command, start_new_session=True, **quiet))
        deadline = time.monotonic() + 90
        while not _answers(f"http://127.0.0.1:{port}/health"):
            assert time.monotonic() < deadline, "the server does not start"
            time.sleep(0.1)

    def kill() -> None:
        process = running.pop()
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()

    yield f"http://127.0.0.1:{port}", start, kill
    while running:
        kill()


def _answers(url: str) -> bool:
    try:
        urllib.request.urlopen(url, timeout=1).close()
    except OSError:
        return False
    return True


@pytest.mark.slow
def test_a_server_that_is_away_for_a_while_misses_nothing(
    server: tuple[str, Callable[[], None], Callable[[], None]],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    uri, start, kill = server
    monkeypatch.setenv("MLFLOW_TRACKING_URI", uri)
    monkeypatch.setattr(tracking, "_EVERY_S", 0.1)
    monkeypatch.setattr(tracking, "_RETRY_S", 0.1)
    folder = RunFolder(tmp_path / "results" / "run")
    folder.path.mkdir(parents=True)
    experiment = fake_experiment(variants={"one": {"algorithm": "fake"}})
    folder.spec.write_text(to_yaml(experiment))
    manifest.begin(folder, ["expedition"], "default")
    (trial,) = trials_of(experiment)
    files = folder.trial(trial.id)
    files.write_trial(trial.to_dict())
    said = (tmp_path / "said.txt").open("w")

    start()
    mirror = Mirror(folder, 1.0, Console(file=said))
    run = TrialRun(trial, files)
    run.advance()
    mirror.start()
    cursor = files.path / "mlflow.json"
    deadline = time.monotonic() + 60
    while not cursor.exists() or json.loads(cursor.read_text())["rows_sent"] < 1:
        assert time.monotonic() < deadline
        time.sleep(0.1)
    kill()
    while not run.finished:
        run.advance()
    run.close()
    time.sleep(1.0)  # some attempts that fail
    start()
    mirror.close()
    said.close()

    assert (tmp_path / "said.txt").read_text().count("does not answer") == 1
    client = MlflowClient(uri)
    found = client.get_experiment_by_name("test/fake")
    runs = client.search_runs([found.experiment_id])
    assert [each.info.status for each in runs] == ["FINISHED", "FINISHED"]
    (child,) = (each for each in runs if "mlflow.parentRunId" in each.data.tags)
    history = client.get_metric_history(child.info.run_id, "train/return_mean")
    assert sorted(point.step for point in history) == list(range(10, 101, 10))
