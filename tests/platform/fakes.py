"""A small experiment with the quick method of ``plugin/``, and its trials run to their end."""

from __future__ import annotations

from typing import Any

from expedition.platform.plan import Trial
from expedition.platform.spec import Experiment, build
from expedition.platform.store import TrialFolder
from expedition.platform.trial_run import TrialRun

FAKE: dict[str, Any] = {
    "name": "test/fake",
    "paper": "test",
    "figure": "Fig. 0",
    "title": "A fake method",
    "env": "CartPole-v1",
    "variants": {
        "low": {"algorithm": "fake", "config": {"gain": 0.5}},
        "high": {"algorithm": "fake", "config": {"gain": 1.0}},
    },
    "seeds": 1,
    "budget": 100,
    "checkpoint_every": 3,
    "metrics": {"return": {"key": "train/return_mean"}},
    "search": {"gain": {"uniform": [0.0, 2.0]}},
}


def fake_experiment(**changes: Any) -> Experiment:
    """An experiment with the fake method; 100 steps are 10 iterations."""
    return build({**FAKE, **changes}, ".".join)


def rows_of(folder: TrialFolder) -> list[dict[str, Any]]:
    """The rows of a trial without times, which differ from run to run."""
    return [{k: v for k, v in r.items() if not k.startswith("time/")} for r in folder.rows()]


def finish(trial: Trial, folder: TrialFolder) -> list[dict[str, Any]]:
    """Run a trial to its end, without Tune; its rows without times."""
    run = TrialRun(trial, folder)
    while not run.finished:
        run.advance()
    run.close()
    return rows_of(folder)
