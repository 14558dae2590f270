"""A driver killed in the middle of a run, and the run finished by another one."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from fakes import fake_experiment, rows_of

from expedition.platform.plan import trials_of
from expedition.platform.spec import Experiment, to_yaml
from expedition.platform.store import RunFolder, TrialFolder, read_json
from expedition.platform.trial_run import TrialRun

LAUNCH = """
import sys
from pathlib import Path
from rich.console import Console
from expedition.platform.launch import Options, launch
from expedition.platform.spec import load_resolved

options = Options(
    results=Path(sys.argv[2]), name="run", resume="--resume" in sys.argv, track=False,
    console=Console(file=sys.stderr),
)
outcome = launch(load_resolved(Path(sys.argv[1])), options)
sys.exit(130 if outcome.interrupted else 0 if outcome.complete else 1)
"""


def _start(spec: Path, results: Path, *more: str) -> subprocess.Popen[str]:
    command = [sys.executable, "-c", LAUNCH, str(spec), str(results), *more]
    return subprocess.Popen(command, stderr=subprocess.PIPE, text=True)


def _wait(what: Callable[[], bool], seconds: float = 90.0) -> None:
    deadline = time.monotonic() + seconds
    while not what():
        assert time.monotonic() < deadline, "it did not happen"
        time.sleep(0.05)


@pytest.fixture
def experiment() -> Experiment:
    """Two trials of about five seconds, with a checkpoint every seven iterations."""
    variant = {"algorithm": "fake", "config": {"sleep_s": 0.08}}
    return fake_experiment(variants={"one": variant}, seeds=2, budget=600, checkpoint_every=7)


@pytest.fixture
def expected(experiment: Experiment, tmp_path: Path) -> dict[str, list[dict[str, Any]]]:
    """The rows of runs that nobody killed; they are quicker, which no number depends on."""
    rows = {}
    for trial in trials_of(experiment):
        folder = TrialFolder(tmp_path / "expected" / trial.id)
        run = TrialRun(trial, folder)
        run.algorithm.config = run.algorithm.config.copy(copy_frozen=False)
        run.algorithm.config.sleep_s = 0.0
        while not run.finished:
            run.advance()
        run.close()
        rows[trial.id] = rows_of(folder)
    return rows


@pytest.mark.slow
@pytest.mark.parametrize("blow", [signal.SIGKILL, signal.SIGINT])
def test_a_run_ends_with_the_same_numbers_after_a_blow(
    blow: signal.Signals,
    experiment: Experiment,
    expected: dict[str, list[dict[str, Any]]],
    tmp_path: Path,
) -> None:
    spec, results = tmp_path / "spec.yaml", tmp_path / "results"
    spec.write_text(to_yaml(experiment))
    run = RunFolder(results / "run")
    first, second = (run.trial(trial.id) for trial in trials_of(experiment))

    driver = _start(spec, results)
    _wait(lambda: len(first.rows()) > 16 and len(second.rows()) > 16)
    os.kill(driver.pid, blow)
    _, said = driver.communicate(timeout=60)
    if blow is signal.SIGINT:
        assert driver.returncode == 130
        assert "stopping after this iteration" in said
        assert read_json(run.manifest)["status"] == "interrupted"
        assert not run.scratch.exists()
    before = len(first.rows())
    assert before < 60

    resumed = _start(spec, results, "--resume")
    _, said = resumed.communicate(timeout=120)

    assert resumed.returncode == 0, said
    for trial in trials_of(experiment):
        assert run.trial(trial.id).status()["state"] == "done"
        assert rows_of(run.trial(trial.id)) == expected[trial.id]
    assert not run.scratch.exists()
    assert len(read_json(run.manifest)["launches"]) == 2
