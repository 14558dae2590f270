"""Command lines for a cluster: what they resolve to, and what is refused before sending."""

from __future__ import annotations

import shlex
from pathlib import Path

import pytest
from quick_spec import PLUGIN, write_spec

from expedition.cluster.request import read
from expedition.platform.errors import UserError


@pytest.fixture(autouse=True)
def fake_method(monkeypatch: pytest.MonkeyPatch) -> None:
    """Find the method "fake" as a third party's is found."""
    monkeypatch.syspath_prepend(str(PLUGIN))


def test_the_same_experiment_has_the_same_run_each_time() -> None:
    first = read(["run", "smm/fig2c", "--seeds", "2"])
    assert first.run == read(["run", "smm/fig2c", "--seeds", "8"]).run == "smm-fig2c-quick"
    assert first.experiment.seeds == (0, 1)
    assert read(["run", "smm/fig2c", "--preset", "paper"]).run == "smm-fig2c-paper"
    assert read(["run", "smm/fig2c", "--name", "mine"]).run == "mine"


def test_a_job_resumes_its_run_in_the_shared_folder() -> None:
    words = ["train", "random", "expedition/Navigation-v0", "--steps", "500", "--set", "a b=1"]
    words = words[:5]
    request = read(words)
    command = shlex.split(request.entrypoint("/nfs/all of it"))
    assert command[:3] == ["python", "-m", "expedition.platform.cli.app"]
    assert command[3:8] == words
    assert command[8:] == [
        "--name", "train-random-Navigation-v0-default", "--results", "/nfs/all of it",
        "--address", "auto", "--resume",
    ]  # fmt: skip
    assert request.experiment.budget == 500


def test_a_file_is_sent_under_the_name_of_its_folder(spec_file: Path, tmp_path: Path) -> None:
    request = read(["run", str(spec_file), "--seeds", "3"])
    assert request.words == ("run", "mine/quick.yaml", "--seeds", "3")
    assert request.run == "test-quick-default"
    request.write_files(tmp_path / "sent")
    assert (tmp_path / "sent/mine/quick.yaml").read_bytes() == spec_file.read_bytes()


def test_a_file_takes_along_the_one_whose_runs_it_shares(spec_file: Path) -> None:
    other = spec_file.with_name("other.yaml")
    other.write_text(
        "paper: test\ntitle: Other\nsame_runs_as: quick.yaml\n"
        "metrics: {return: {key: train/return_mean}}\n"
    )
    assert set(read(["run", str(other)]).files) == {"mine/quick.yaml", "mine/other.yaml"}
    other.write_text(other.read_text().replace("quick.yaml", "../mine/quick.yaml"))
    with pytest.raises(UserError, match="put the two files into one folder"):
        read(["run", str(other)])


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ([], "unknown command to submit ''; choose from run, sweep, train"),
        (["rnu", "smm/fig2c"], "did you mean 'run'"),
        (["run", "smm/fig2d"], "unknown experiment 'smm/fig2d'; did you mean"),
        (["run", "smm/fig2c", "--variants", "smmm"], "did you mean 'smm'"),
        (["run", "smm/fig2c", "--set", "config.alphaa=1"], "alphaa"),
        (["run", "smm/fig2c", "--set", "budgett=1"], "did you mean 'budget'"),
        (["train", "sacc", "Pendulum-v1"], "unknown method 'sacc'; did you mean 'sac'"),
        (["sweep", "smm/fig2c", "--searcher", "optunaa"], "optuna"),
        (["run", "smm/fig2c", "--results", "x"], "give --storage before the --"),
        (["run", "smm/fig2c", "--address", "auto"], "give --address before the --"),
        (["run", "smm/fig2c", "--name", "../evil"], "a name is letters, digits"),
    ],
)
def test_mistakes_are_found_before_anything_is_sent(words: list[str], message: str) -> None:
    with pytest.raises(UserError, match=message):
        read(words)


def test_an_unknown_option_is_a_usage_error() -> None:
    with pytest.raises(Exception, match="--sedes") as caught:
        read(["run", "smm/fig2c", "--sedes", "8"])
    assert hasattr(caught.value, "format_message")  # the command line prints it as one line


def test_a_wrong_setting_in_a_file_names_file_and_line(tmp_path: Path) -> None:
    file = write_spec(tmp_path / "mine" / "bad.yaml", budget=-1)
    with pytest.raises(UserError, match=r"bad\.yaml:\d+: budget: must be more than 0"):
        read(["run", str(file)])
