from __future__ import annotations

import io
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import ray
from fakes import fake_experiment, finish, rows_of
from rich.console import Console

from expedition.platform.errors import UserError
from expedition.platform.launch import Options, launch, resume_command
from expedition.platform.ownership import Ownership
from expedition.platform.plan import trials_of
from expedition.platform.runfolder import first_difference, open_run
from expedition.platform.spec import Experiment, load_resolved
from expedition.platform.store import RunFolder, TrialFolder, read_json

pytestmark = pytest.mark.usefixtures("ray_of_two")


def _options(results: Path, **more: Any) -> Options:
    settings = {"name": "run", "track": False, "console": Console(file=io.StringIO()), **more}
    return Options(results=results, command=("expedition", "run", "x"), **settings)


def _said(options: Options) -> str:
    return options.console.file.getvalue()  # type: ignore[attr-defined]


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("results")


@pytest.fixture(scope="module")
def experiment() -> Experiment:
    return fake_experiment(seeds=2)


@pytest.fixture(scope="module")
def finished(results: Path, experiment: Experiment, ray_of_two: None) -> tuple[RunFolder, str]:
    """A run of four trials with its report, and what it printed."""
    options = _options(results)
    outcome = launch(experiment, options, report=True)
    assert outcome.complete
    assert outcome.report == results / "run" / "report" / "index.html"
    return outcome.folder, _said(options)


def test_a_launch_leaves_a_complete_run_folder(
    finished: tuple[RunFolder, str], experiment: Experiment
) -> None:
    folder, _ = finished
    assert load_resolved(folder.spec) == experiment
    assert folder.trial_ids() == sorted(trial.id for trial in trials_of(experiment))
    for trial_id in folder.trial_ids():
        files = folder.trial(trial_id)
        assert files.status() == {"state": "done", "env_steps": 100}
        assert [row["env_steps"] for row in files.rows()] == list(range(10, 101, 10))
        assert sorted(p.name for p in files.checkpoints.iterdir()) == ["000009", "000010"]
    assert read_json(folder.manifest)["status"] == "finished"
    assert not folder.scratch.exists()
    assert (folder.path / "results.parquet").exists()


def test_tune_leaves_nothing_in_the_temporary_folder(finished: tuple[RunFolder, str]) -> None:
    artifacts = Path(ray._private.worker._global_node.get_session_dir_path()) / "artifacts"
    assert list(artifacts.iterdir()) == []


def test_the_seed_and_nothing_else_decides_the_numbers(finished: tuple[RunFolder, str]) -> None:
    """Two trials shared two processes, in whatever order: each equals one run alone."""
    folder, _ = finished
    first = folder.trial("default/high/seed_0").rows()[-1]["train/return_mean"]
    second = folder.trial("default/high/seed_1").rows()[-1]["train/return_mean"]
    assert first == pytest.approx(0.6331, abs=0.05)
    assert first != second


def test_without_a_terminal_there_is_a_line_a_trial(finished: tuple[RunFolder, str]) -> None:
    _, said = finished
    lines = said.splitlines()
    assert lines[0].startswith("test/fake (default) -> ")
    assert sum("done: 100 env steps, train/return_mean" in line for line in lines) == 4
    assert "\x1b" not in said
    assert len(lines) < 15


def test_a_finished_run_is_not_run_again(
    finished: tuple[RunFolder, str], results: Path, experiment: Experiment
) -> None:
    folder, _ = finished
    before = folder.trial("default/low/seed_0").progress.stat().st_mtime_ns

    with pytest.raises(UserError, match="already holds a run: continue it with --resume"):
        launch(experiment, _options(results))
    outcome = launch(experiment, _options(results, resume=True))

    assert outcome.complete
    assert folder.trial("default/low/seed_0").progress.stat().st_mtime_ns == before


def test_other_settings_are_refused_and_more_seeds_are_added(
    finished: tuple[RunFolder, str], results: Path
) -> None:
    other = fake_experiment(seeds=2, budget=200)
    with pytest.raises(UserError, match="was started with budget=100, not 200"):
        launch(other, _options(results, resume=True))
    with pytest.raises(UserError, match=r"was started with seeds=\[0, 1\], not \[0\]"):
        launch(fake_experiment(seeds=1), _options(results, resume=True))

    outcome = launch(fake_experiment(seeds=3), _options(results, resume=True))

    assert outcome.complete
    assert len(outcome.states) == 6


def test_a_run_that_is_being_written_is_left_alone(
    finished: tuple[RunFolder, str], results: Path
) -> None:
    owner = Ownership.take(finished[0].path)
    try:
        with pytest.raises(UserError, match="is being written by process"):
            launch(fake_experiment(seeds=3), _options(results, resume=True))
    finally:
        owner.release()


def test_failures_are_told_and_the_other_trials_finish(tmp_path: Path, deaths: Path) -> None:
    """A NaN, a setting that is refused late and a process that dies, beside a good trial."""
    variants = {
        "nan": {"algorithm": "fake", "config": {"nan_at": 55}},
        "good": {"algorithm": "fake"},
        "dies": {"algorithm": "fake", "config": {"die_at": 70, "deaths": str(deaths)}},
    }
    options = _options(tmp_path)

    outcome = launch(fake_experiment(variants=variants), options)

    states = {trial.split("/")[1]: state for trial, state in outcome.states.items()}
    assert states == {"nan": "failed", "good": "done", "dies": "done"}
    assert not outcome.complete
    (reason,) = outcome.failures.values()
    assert "critic_loss is nan at env step 60" in reason
    assert reason.endswith("nan/seed_0/checkpoints/000003")
    assert "default/nan/seed_0 failed: NonFiniteLossError" in _said(options)
    assert read_json(outcome.folder.manifest)["status"] == "incomplete"
    steps = [row["env_steps"] for row in outcome.folder.trial("default/dies/seed_0").rows()]
    assert steps == list(range(10, 101, 10))  # from the checkpoint before its death


def test_a_setting_that_is_not_allowed_is_one_line_before_anything_runs(tmp_path: Path) -> None:
    variants = {"bad": {"algorithm": "fake", "config": {"refuse": True}}}
    with pytest.raises(UserError, match=r"bad \(fake\): refuse=True: must be False"):
        launch(fake_experiment(variants=variants), _options(tmp_path))


def test_a_trial_that_can_never_fit_is_refused(tmp_path: Path) -> None:
    huge = fake_experiment(resources={"cpus": 64, "gpus": 0})
    with pytest.raises(UserError, match="a trial of low needs 64 CPUs and this machine has 2 CPUs"):
        launch(huge, _options(tmp_path))
    assert list(tmp_path.iterdir()) == []  # nothing is in the way of the corrected command


def test_a_refusal_leaves_what_was_there(tmp_path: Path) -> None:
    huge = fake_experiment(resources={"cpus": 64, "gpus": 0})
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "mine.txt").write_text("mine")
    with pytest.raises(UserError, match="needs 64 CPUs"):
        launch(huge, _options(tmp_path, resume=True))
    assert (tmp_path / "run" / "mine.txt").read_text() == "mine"


@pytest.mark.parametrize("name", ["../evil", "a/b", "", ".hidden", "two words"])
def test_a_name_that_is_no_folders_is_one_line(tmp_path: Path, name: str) -> None:
    results = tmp_path / "results"
    with pytest.raises(UserError, match="a name is letters, digits, _, - and dots"):
        launch(fake_experiment(), _options(results, name=name))
    assert list(tmp_path.iterdir()) == []


@pytest.fixture
def listening() -> Iterator[str]:
    """Address of a Ray client's server, behind which the Ray of this module stands."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield f"ray://127.0.0.1:{server.getsockname()[1]}"


def test_through_a_client_a_task_on_the_cluster_launches(tmp_path: Path, listening: str) -> None:
    experiment = fake_experiment(variants={"one": {"algorithm": "fake"}}, budget=30)
    outcome = launch(experiment, _options(tmp_path / "results", address=listening))
    assert outcome.complete
    (trial,) = trials_of(experiment)
    expected = finish(trial, TrialFolder(tmp_path / "expected"))
    assert rows_of(outcome.folder.trial(trial.id)) == expected
    assert not outcome.folder.scratch.exists()


def test_what_is_refused_on_the_other_side_of_a_client_is_one_line(
    tmp_path: Path, listening: str
) -> None:
    huge = fake_experiment(resources={"cpus": 64, "gpus": 0})
    with pytest.raises(UserError) as caught:
        launch(huge, _options(tmp_path, address=listening))
    assert str(caught.value).startswith("a trial of low needs 64 CPUs and the cluster has 2 CPUs")
    assert list(tmp_path.iterdir()) == []


def test_names_have_the_time_and_resume_finds_the_newest(tmp_path: Path) -> None:
    experiment = fake_experiment()
    first = open_run(tmp_path, experiment, name=None, resume=False).path
    assert first.name.startswith("test-fake-default-20")
    for other in ("test-fake-default-20200101-000000", "test-fake-default-sweep-29990101-000000"):
        (tmp_path / other).mkdir()

    assert open_run(tmp_path, experiment, name=None, resume=True).path == first


def test_the_first_difference_is_named_by_its_path() -> None:
    old = {"a": 1, "b": {"c": [1, 2], "d": 3}}
    assert first_difference(old, {"b": {"d": 3, "c": [1, 2]}, "a": 1}) is None
    assert first_difference(old, {"a": 1, "b": {"c": [1], "d": 4}}) == ("b.c", [1, 2], [1])
    assert first_difference(old, {**old, "e": 5}) == ("e", None, 5)


def test_the_resume_command_can_be_pasted(tmp_path: Path) -> None:
    folder = RunFolder(tmp_path / "fig-1")
    command = ("/somewhere/bin/expedition", "run", "smm/fig2c", "--set", "a=b c")
    again = "expedition run smm/fig2c --set 'a=b c' --name fig-1 --resume"
    assert resume_command(command, folder) == again
    assert resume_command(again.split(), folder).count("--resume") == 1
