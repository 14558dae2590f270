"""A small experiment with the quick method of the platform's tests, as a file."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import yaml

from expedition.platform.plan import trials_of
from expedition.platform.spec import Experiment
from expedition.platform.store import TrialFolder
from expedition.platform.trial_run import TrialRun

PLUGIN = Path(__file__).parents[1] / "platform" / "plugin"  # has the method "fake"
SPEC = {
    "paper": "test",
    "figure": "Fig. 0",
    "title": "A fake method",
    "env": "CartPole-v1",
    "variants": {"one": {"algorithm": "fake", "config": {"sleep_s": 0.0}}},
    "seeds": 1,
    "budget": 100,
    "checkpoint_every": 3,
    "metrics": {"return": {"key": "train/return_mean"}},
}


def write_spec(file: Path, **changes: object) -> Path:
    """Write an experiment of the quick method."""
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(yaml.safe_dump({**SPEC, **changes}, sort_keys=False), encoding="utf-8")
    return file


def rows_of(folder: TrialFolder) -> list[dict[str, Any]]:
    """Rows of a trial without what the clock decides."""
    return [
        {key: value for key, value in row.items() if not key.startswith("time/")}
        for row in folder.rows()
    ]


def undisturbed(experiment: Experiment, folder: Path) -> dict[str, list[dict[str, Any]]]:
    """Rows of trials that ran in this process, with nothing in their way."""
    quick = {key: {**v.config, "sleep_s": 0.0} for key, v in experiment.variants.items()}
    rows = {}
    for trial in trials_of(experiment):
        files = TrialFolder(folder / trial.id)
        run = TrialRun(replace(trial, config=quick[trial.variant]), files)
        while not run.finished:
            run.advance()
        run.close()
        rows[trial.id] = rows_of(files)
    return rows


def wait_for(what: Callable[[], object], seconds: float = 90.0) -> None:
    """Wait until something is true."""
    deadline = time.monotonic() + seconds
    while not what():
        assert time.monotonic() < deadline, "it did not happen"
        time.sleep(0.1)
