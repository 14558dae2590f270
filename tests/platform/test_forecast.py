from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest
from fakes import FAKE, fake_experiment
from test_schedulers import _sweep

from expedition.platform.errors import UserError
from expedition.platform.forecast import ENOUGH, describe, forecast, measured
from expedition.platform.plan import trials_of
from expedition.platform.spec import to_yaml
from expedition.platform.store import DONE, FAILED, RunFolder


def _record(results: Path, name: str, *, seconds: float, state: str = DONE, **changes: Any) -> None:
    """Leave the records of a run whose trials made 100 steps in so many seconds each."""
    experiment = fake_experiment(**changes)
    folder = RunFolder(results / name)
    folder.path.mkdir(parents=True)
    folder.spec.write_text(to_yaml(experiment))
    for trial in trials_of(experiment):
        files = folder.trial(trial.id)
        files.path.mkdir(parents=True)
        files.write_trial(trial.to_dict())
        files.append_row({"env_steps": 50, "time/seconds": seconds / 10})
        files.append_row({"env_steps": 100, "time/seconds": seconds})
        files.set_status(state, 100)


def test_cost_follows_from_the_speed_of_earlier_trials(tmp_path: Path) -> None:
    _record(tmp_path, "before", seconds=50.0)  # 2 env steps/s
    experiment = fake_experiment(seeds=3, resources={"cpus": 2})
    found = forecast(experiment, _sweep(samples=4), tmp_path)

    assert found.trials == 4 * 3 * 2  # points, seeds, variants
    assert found.env_steps == 24 * 100
    assert found.cpu_hours == pytest.approx(24 * (100 / 2) * 2 / 3600)
    assert (found.measured_trials, found.unmeasured) == (2, ())
    folders = sorted((tmp_path / "before/trials").rglob("seed_0"))
    sizes = [sum(f.stat().st_size for f in folder.iterdir()) for folder in folders]
    assert found.disk_bytes == pytest.approx(24 * sum(sizes) / 2, abs=24)


def test_a_method_never_run_is_said_to_be_unknown(tmp_path: Path) -> None:
    _record(tmp_path, "failed", seconds=1.0, state=FAILED)
    _record(tmp_path, "elsewhere", seconds=1.0, env="Acrobot-v1")
    found = forecast(fake_experiment(), _sweep(), tmp_path)

    assert (found.cpu_hours, found.disk_bytes) == (None, None)
    assert found.unmeasured == ("fake on CartPole-v1",)
    assert describe(found) == [
        "8 trials, 800 env steps at most",
        "CPU hours and disk unknown: no finished trial yet of fake on CartPole-v1",
    ]


def test_an_empty_results_folder_is_no_mistake(tmp_path: Path) -> None:
    assert forecast(fake_experiment(), _sweep(), tmp_path / "none").cpu_hours is None


def test_points_that_optuna_will_make_up_are_counted(tmp_path: Path) -> None:
    found = forecast(fake_experiment(seeds=2), _sweep(samples=5, searcher="optuna"), tmp_path)
    assert found.trials == 5 * 2 * 2


def test_a_sweep_that_cannot_work_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="one population"):
        forecast(fake_experiment(seeds=2), _sweep(scheduler="pbt"), tmp_path)


def test_speed_is_a_median_over_few_trials_and_damage_is_passed_over(tmp_path: Path) -> None:
    _record(tmp_path, "slow", seconds=1000.0, seeds=1)
    _record(tmp_path, "fast", seconds=10.0, seeds=ENOUGH)
    os.utime(tmp_path / "slow/spec.yaml", (0, 0))  # the newest runs are asked first
    (tmp_path / "fast/trials/default/low/seed_0/trial.json").write_text("{")
    (kind,) = known = measured({("fake", "CartPole-v1")}, tmp_path)
    assert kind == ("fake", "CartPole-v1")
    assert known[kind].trials == ENOUGH
    assert known[kind].env_steps_per_s == pytest.approx(10.0)


def test_dry_run_prints_the_cost_and_starts_nothing(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    from expedition.platform.cli.app import run

    _record(tmp_path / "results", "before", seconds=50.0)
    spec = tmp_path / "fake.yaml"
    spec.write_text(json.dumps(FAKE))  # JSON is YAML
    words = [
        "sweep",
        str(spec),
        "--samples",
        "3",
        "--dry-run",
        "--results",
        str(tmp_path / "results"),
    ]

    assert run(words) == 0
    assert (
        "6 trials, 600 env steps at most\n0.083 CPU hours at most, by 2" in capsys.readouterr().out
    )
    assert run([*words, "--json"]) == 0
    said = json.loads(capsys.readouterr().out)
    assert (said["trials"], said["cpu_hours"]) == (6, pytest.approx(300 / 3600))
    assert [path.name for path in (tmp_path / "results").iterdir()] == ["before"]
