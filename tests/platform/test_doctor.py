from __future__ import annotations

import json
import sqlite3
from pathlib import Path

import pytest

from expedition.platform import doctor
from expedition.platform.cli import app


@pytest.fixture(autouse=True)
def _no_server(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    monkeypatch.delenv("MUJOCO_GL", raising=False)


def test_a_machine_that_runs_these_tests_is_well(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(doctor, "renders", lambda backend: backend == "osmesa")

    status = app.run(["doctor", "--results", str(tmp_path / "new"), "--json"])

    findings = {finding["name"]: finding for finding in json.loads(capsys.readouterr().out)}
    assert status == 0
    assert {"python", "torch", "ray", "mujoco", "results folder", "disk", "MLflow"} <= set(findings)
    assert findings["rendering"]["detail"] == "MuJoCo renders with MUJOCO_GL=osmesa"
    assert not (tmp_path / "new").exists()


def test_something_broken_is_status_1_with_advice(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(doctor, "renders", lambda backend: False)
    (tmp_path / "file").write_text("")

    status = app.run(["doctor", "--results", str(tmp_path / "file" / "results")])

    said = capsys.readouterr().out
    assert status == 1
    assert "broken   results folder" in said
    assert "-> choose another with --results" in said
    assert "warning  rendering       MuJoCo does not render (egl, osmesa, glfw)" in said


def test_packages_are_held_against_what_is_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    assert doctor.package("ray").state == "ok"
    monkeypatch.setattr(doctor.metadata, "version", lambda name: "1.0")
    finding = doctor.package("ray")
    assert (finding.state, finding.detail) == ("broken", "1.0, not ==2.60.*")


def test_a_package_that_is_missing_is_broken() -> None:
    assert doctor.package("no-such-package").state == "broken"


def test_a_store_that_does_not_answer_is_a_warning(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert doctor.tracking(tmp_path).state == "ok"  # no file yet: the first run makes it
    sqlite3.connect(tmp_path / "mlflow.db").execute("CREATE TABLE t (x)").connection.close()
    assert doctor.tracking(tmp_path).state == "ok"
    (tmp_path / "mlflow.db").write_text("this is not a database, and long enough to tell" * 40)
    assert doctor.tracking(tmp_path).state == "warning"
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://127.0.0.1:9")
    finding = doctor.tracking(tmp_path)
    assert finding.state == "warning"
    assert "expedition track RUN" in finding.advice


def test_a_backend_that_does_not_exist_does_not_render() -> None:
    assert not doctor.renders("no-such-backend")
