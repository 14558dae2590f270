from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import yaml
from fakes import FAKE

from expedition.platform.cli import app
from expedition.platform.single import single_experiment
from expedition.platform.store import read_json

FILE = {key: value for key, value in FAKE.items() if key != "name"}


@pytest.fixture
def spec(tmp_path: Path) -> str:
    path = tmp_path / "fake.yaml"
    path.write_text(yaml.safe_dump(FILE))
    return str(path)


def _fails(capsys: pytest.CaptureFixture[str], *arguments: str, status: int = 2) -> str:
    """Run a command that must fail with one line; return the line."""
    assert app.run(list(arguments)) == status
    said = capsys.readouterr().err.strip()
    assert said.startswith("expedition: ")
    assert "\n" not in said
    return said


def test_mistakes_are_one_line_before_anything_starts(
    spec: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    blocked = tmp_path / "file"
    blocked.write_text("")
    results = ("--results", str(tmp_path / "results"))

    assert "--seeds 0: must be at least 1" in _fails(capsys, "run", spec, "--seeds", "0", *results)
    assert "give a count" in _fails(capsys, "run", spec, "--seeds", "many", *results)
    assert "did you mean 'high'" in _fails(capsys, "run", spec, "--variants", "hgh", *results)
    assert "unknown experiment" in _fails(capsys, "run", "smm/fig2z", *results)
    line = _fails(capsys, "run", spec, "--results", str(blocked / "results"))
    assert "cannot write" in line
    assert "Not a directory" in line
    assert "unknown method 'smn'; did you mean 'smm'" in _fails(
        capsys, "train", "smn", "CartPole-v1", *results
    )
    assert "CartPol-v1" in _fails(capsys, "train", "fake", "CartPol-v1", *results)
    assert "--set gian" in _fails(
        capsys, "train", "fake", "CartPole-v1", "--set", "gian=1", *results
    )
    assert "unknown searcher" in _fails(capsys, "sweep", spec, "--searcher", "x", *results)
    assert "no run 'nothing'" in _fails(capsys, "track", "nothing", *results)
    assert not (tmp_path / "results").exists()


def test_an_existing_run_is_not_overwritten(
    spec: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "notes.txt").write_text("mine")
    line = _fails(capsys, "run", spec, "--name", "run", "--results", str(tmp_path))
    assert "already holds a run: continue it with --resume, or choose another --name" in line


def test_train_declares_an_experiment_in_memory() -> None:
    from expedition.platform.overrides import parse

    experiment = single_experiment(
        "smm",
        "expedition/Navigation-v0",
        steps=500,
        seeds=(3, 4),
        overrides=[parse("num_skills=2"), parse("env_config.halls=5")],
    )
    assert experiment.name == "train/smm-Navigation-v0"
    assert experiment.config_of("smm") == {"num_skills": 2}
    assert experiment.env_config == {"halls": 5}
    assert (experiment.budget, experiment.seeds) == (500, (3, 4))
    assert experiment.headline[0] == "return"
    assert experiment.metrics["halls_window"].key == "coverage/halls_window"
    assert {plot.kind for plot in experiment.plots} == {"curves", "heatmap"}


@pytest.mark.slow
@pytest.mark.usefixtures("ray_of_two")
class TestWithRay:
    def _json(self, capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, Any]:
        status = app.run([*arguments, "--json"])
        return status, json.loads(capsys.readouterr().out)

    def test_run_reports_and_tracks_and_ends_with_status_0(
        self, spec: str, tmp_path: Path, capsys: pytest.CaptureFixture[str],
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:  # fmt: skip
        monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
        status, said = self._json(
            capsys, "run", spec, "--name", "one", "--results", str(tmp_path), "--set", "budget=50"
        )
        assert status == 0
        assert said["complete"] is True
        assert set(said["trials"].values()) == {"done"}
        assert said["claims"] == []
        assert "<html" in Path(said["report"]).read_text(encoding="utf-8")
        assert read_json(tmp_path / "one" / "mlflow.json")["run_id"]

    def test_a_failed_trial_is_a_line_and_status_1(
        self, spec: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        arguments = ["--results", str(tmp_path), "--no-track", "--name", "two"]
        nan = ["--set", "variants.low.config.nan_at=30"]
        assert app.run(["run", spec, *arguments, *nan]) == 1

        said = capsys.readouterr()
        assert "expedition: trial default/low/seed_0 failed: NonFiniteLossError" in said.err
        assert "1 of 2 trials done" in said.out
        assert "report: " in said.out

    def test_train_runs_any_environment(
        self, tmp_path: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        arguments = ["--steps", "40", "--seeds", "2", "--results", str(tmp_path), "--no-track"]
        status, said = self._json(
            capsys, "train", "fake", "CartPole-v1", "--set", "gain=2", *arguments
        )
        assert status == 0
        assert list(said["trials"]) == ["default/fake/seed_0", "default/fake/seed_1"]
        assert Path(said["run"]).name.startswith("train-fake-CartPole-v1-default-")

    def test_sweep_names_the_best_points(
        self, spec: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        arguments = ["--samples", "3", "--variants", "low", "--no-track"]
        status, said = self._json(capsys, "sweep", spec, *arguments, "--results", str(tmp_path))
        assert status == 0
        means = [point["score"] for point in said["points"]]
        gains = [point["values"]["gain"] for point in said["points"]]
        assert means == sorted(means, reverse=True)
        assert gains == sorted(gains, reverse=True)
        assert len(gains) == 3
