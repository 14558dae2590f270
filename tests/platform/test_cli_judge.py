"""``expedition report`` and ``verify``."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
from synthetic import DATA, experiment, write_run

from expedition.platform.cli import app

HOLDS, OPEN_, FAILS = DATA["claims"][0], DATA["claims"][2], DATA["claims"][1]
LEVELS = {"sac": 0.4, "smm": 0.7, "sm4": 0.7, "random": 0.5}


def make(root: Path, name: str, *claims: dict, seeds: int = 3) -> Path:
    declared = experiment(claims=list(claims), seeds=seeds, tasks={"halls-3": {"halls": 3}})
    return write_run(root / name, declared, levels=LEVELS, noise=0.05)


def test_report_prints_the_page(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    make(tmp_path, "mine", HOLDS)
    assert app.run(["report", "mine", "--results", str(tmp_path)]) == 0
    page = Path(capsys.readouterr().out.strip())
    assert page == tmp_path / "mine/report/index.html"
    assert page.is_file()


def test_results_folder_from_the_environment(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    make(tmp_path, "mine", HOLDS)
    monkeypatch.setenv("EXPEDITION_RESULTS", str(tmp_path))
    assert app.run(["report", "mine", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["report"].endswith("mine/report/index.html")


def test_verify_a_run_that_holds(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = make(tmp_path, "mine", HOLDS)
    assert app.run(["verify", str(path)]) == 0
    out = capsys.readouterr().out
    assert "confirmed" in out
    assert "SMM - SAC = " in out
    assert "the paper: SMM about 60 %" in out
    assert "1 confirmed, 0 contradicted, 0 inconclusive" in out


def test_verify_a_contradicted_run(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = make(tmp_path, "mine", HOLDS, FAILS)
    assert app.run(["verify", str(path), "--json"]) == 1
    content = json.loads(capsys.readouterr().out)
    assert content["verified"] is False
    assert content["reason"] == "contradicted: sac-stays"
    assert [claim["verdict"] for claim in content["claims"]] == ["confirmed", "contradicted"]


def test_inconclusive_fails_only_when_strict(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = make(tmp_path, "mine", HOLDS, OPEN_, seeds=2)
    assert app.run(["verify", str(path)]) == 0
    assert app.run(["verify", str(path), "--strict"]) == 1
    assert "2 inconclusive; inconclusive: smm-beats-sac, sm4-beats-smm" in capsys.readouterr().out


@pytest.mark.parametrize("claims", [(), (HOLDS,)])
def test_nothing_to_judge_does_not_verify(tmp_path: Path, claims: tuple[dict, ...]) -> None:
    path = make(tmp_path, "mine", *claims)
    if claims:
        shutil.rmtree(path / "trials")
    assert app.run(["verify", str(path)]) == 1


def test_verify_an_experiment_takes_its_newest_finished_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from expedition.platform import catalog

    make(tmp_path, "mine", HOLDS)
    monkeypatch.setattr(catalog, "names", lambda: ["smm/synthetic"])
    monkeypatch.setattr(catalog, "open_document", lambda target: (target, None))
    assert app.run(["verify", "smm/synthetic", "--results", str(tmp_path), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["run"] == "mine"


@pytest.mark.parametrize(
    ("argv", "message"),
    [
        (["report", "mne"], "no run 'mne' in"),
        (["verify", "mne"], "did you mean 'mine'?"),
        (["verify", "smm/fig2c"], "no finished run of smm/fig2c in"),
    ],
)
def test_mistakes(
    tmp_path: Path, argv: list[str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    make(tmp_path, "mine", HOLDS, seeds=1)
    assert app.run([*argv, "--results", str(tmp_path)]) == 2
    err = capsys.readouterr().err
    assert message in err
    assert err.count("\n") == 1
