"""``expedition list`` and ``show``, and the application around them."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

from expedition.platform.cli import app


def test_list_names_everything(capsys: pytest.CaptureFixture[str]) -> None:
    assert app.run(["list"]) == 0
    out = capsys.readouterr().out
    for name in ("smm", "sac", "random", "expedition/Navigation-v0", "smm/fig2c", "Fig. 2c"):
        assert name in out


def test_list_as_json(capsys: pytest.CaptureFixture[str]) -> None:
    assert app.run(["list", "experiments", "--json"]) == 0
    entries = json.loads(capsys.readouterr().out)
    entry = next(entry for entry in entries if entry["name"] == "smm/fig5a")
    assert entry["figure"] == "Fig. 5a"
    assert app.run(["list", "--json"]) == 0
    assert set(json.loads(capsys.readouterr().out)) == {"methods", "envs", "experiments"}


def test_show_experiment(capsys: pytest.CaptureFixture[str]) -> None:
    assert app.run(["show", "smm/fig2c"]) == 0
    out = capsys.readouterr().out
    for text in ("Fig. 2c", "SM4 (N=3)", "7,200,000", "1,280,000", "smm-beats-sac", "about 60 %"):
        assert text in out


def test_show_experiment_as_json(capsys: pytest.CaptureFixture[str]) -> None:
    assert app.run(["show", "smm/fig2c", "--json"]) == 0
    content = json.loads(capsys.readouterr().out)
    quick = next(row for row in content["presets"] if row["preset"] == "quick")
    assert (quick["trials"], quick["env_steps"]) == (32, 1_280_000)
    assert content["claims"][0]["id"] == "smm-beats-sac"


def test_show_preset_in_full(capsys: pytest.CaptureFixture[str]) -> None:
    assert app.run(["show", "smm/fig2c", "--preset", "quick", "--json"]) == 0
    content = json.loads(capsys.readouterr().out)
    assert content["preset"] == "quick"
    assert "alpha" in content["variants"]["smm"]["config"]  # shared out to those that have it


def test_show_method(capsys: pytest.CaptureFixture[str]) -> None:
    assert app.run(["show", "smm", "--json"]) == 0
    content = json.loads(capsys.readouterr().out)
    skills = content["hyperparameters"]["num_skills"]
    assert skills["default"] == 1
    assert skills["help"]
    assert app.run(["show", "smm"]) == 0
    assert "num_skills" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("argv", "message"),
    [
        (["show", "smm/fig2"], "no experiment or method 'smm/fig2'; did you mean 'smm/fig2"),
        (["show", "smm/fig2c", "--preset", "quik"], "unknown preset 'quik'; did you mean 'quick'?"),
        (["list", "method"], "unknown listing 'method'; did you mean 'methods'?"),
        (["lst"], "No such command 'lst'"),
        (["show"], "Missing argument"),
        (["list", "--jsn"], "No such option"),
    ],
)
def test_mistakes_are_one_line_and_status_two(
    argv: list[str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert app.run(argv) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err.startswith("expedition: ")
    assert message in captured.err
    assert captured.err.count("\n") == 1


def test_debug_shows_where_an_error_came_from() -> None:
    from expedition.platform.errors import UserError

    with pytest.raises(UserError):
        app.run(["show", "nothing", "--debug"])


def test_unexpected_errors_are_one_line(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from expedition.platform import catalog

    def fail() -> list[str]:
        raise RuntimeError("two\nlines")

    monkeypatch.setattr(catalog, "entries", fail)
    assert app.run(["list", "experiments"]) == 1
    assert "RuntimeError: two lines (--debug shows where)" in capsys.readouterr().err


def test_interrupt_is_status_130(monkeypatch: pytest.MonkeyPatch) -> None:
    from expedition.platform import catalog

    def interrupted() -> list[str]:
        raise KeyboardInterrupt

    monkeypatch.setattr(catalog, "entries", interrupted)
    assert app.run(["list", "experiments"]) == 130


def test_help_and_list_import_nothing_heavy() -> None:
    code = (
        "import sys; from expedition.platform.cli import app; assert app.run(['list']) == 0;"
        "assert app.run(['--help']) == 0;"
        "heavy = {'ray', 'torch', 'mlflow', 'pandas', 'matplotlib'} & set(sys.modules);"
        "sys.exit(f'imported {heavy}' if heavy else 0)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
