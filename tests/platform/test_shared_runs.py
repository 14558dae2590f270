"""One training, several figures: which trials are taken over, and what a file may say."""

from __future__ import annotations

import io
from pathlib import Path

import pytest
from rich.console import Console
from synthetic import DATA, experiment, write_run

from expedition.platform import catalog, results, spec, yamlfile
from expedition.platform.errors import UserError
from expedition.platform.launch import Options, launch
from expedition.platform.plan import trials_of
from expedition.platform.resolve import Choices
from expedition.platform.shared_runs import identity, take_finished
from expedition.platform.spec import Experiment
from expedition.platform.store import RunFolder

BASE = DATA | {"name": "smm/base"}


def derived(**changes: object) -> Experiment:
    """Another figure of the runs of ``smm/base``, with its tasks and variants renamed."""
    tasks = {"three": {"halls": 3}, "five": {"halls": 5}}
    return spec.build(
        {**BASE, "name": "smm/other", "same_runs_as": "smm/base", "tasks": tasks} | changes,
        ".".join,
    )


def options(folder: Path) -> Options:
    console = Console(file=io.StringIO())
    return Options(results=folder, name="other", track=False, console=console, command=("x",))


def test_a_launch_takes_finished_trials_and_says_from_where(tmp_path: Path) -> None:
    write_run(tmp_path / "base", spec.build(BASE, ".".join))
    settings = options(tmp_path)
    outcome = launch(derived(plots=[], claims=[]), settings, report=True)
    assert outcome.complete
    assert "32 finished trials taken from base" in settings.console.file.getvalue()  # type: ignore[attr-defined]
    run = results.read(outcome.folder.path)
    assert run.manifest["trials_taken_from"] == {"base": 32}
    ours, theirs = (
        RunFolder(tmp_path / name).trial(trial)
        for name, trial in (("other", "three/sm4/seed_2"), ("base", "halls-3/sm4/seed_2"))
    )
    assert ours.rows() == theirs.rows()
    assert ours.coverage.read_bytes() == theirs.coverage.read_bytes()
    origin = "base/halls-3/sm4/seed_2"
    assert ours.status() == {"state": "done", "env_steps": 20000, "taken_from": origin}
    assert ours.read_trial()["experiment"] == "smm/other"


def test_trials_taken_over_twice_are_still_those_of_the_run_that_trained_them(
    tmp_path: Path,
) -> None:
    write_run(tmp_path / "base", spec.build(BASE, ".".join))
    launch(derived(), options(tmp_path))
    third = derived(name="smm/third")
    folder = RunFolder(tmp_path / "third")
    for trial in trials_of(third):
        folder.trial(trial.id).write_trial(trial.to_dict())
    assert take_finished(folder, third, trials_of(third), tmp_path) == {"base": 32}


@pytest.mark.parametrize(
    ("changes", "taken"),
    [
        ({}, 32),
        ({"seeds": 6}, 32),
        ({"seeds": [3]}, 8),
        ({"budget": 20001}, 0),
        ({"config": {"alpha": 0.5, "hidden_sizes": [128, 128]}}, 0),
        ({"tasks": {"three": {"halls": 3}, "seven": {"halls": 7}}}, 16),
        ({"same_runs_as": None}, 0),
        ({"same_runs_as": "smm/another"}, 0),
    ],
)
def test_only_equal_trials_are_taken(tmp_path: Path, changes: dict, taken: int) -> None:
    write_run(tmp_path / "base", spec.build(BASE, ".".join))
    wanted = derived(**changes)
    folder = RunFolder(tmp_path / "other")
    for trial in trials_of(wanted):
        folder.trial(trial.id).write_trial(trial.to_dict())
    counts = take_finished(folder, wanted, trials_of(wanted), tmp_path)
    assert sum(counts.values()) == taken
    states = [folder.trial(trial.id).status()["state"] for trial in trials_of(wanted)]
    assert states.count("done") == taken


def test_unfinished_trials_are_left_and_a_sibling_may_give(tmp_path: Path) -> None:
    sibling = derived(name="smm/sibling")
    write_run(tmp_path / "sibling", sibling)
    unfinished = RunFolder(tmp_path / "sibling").trial("three/sac/seed_0")
    unfinished.set_status("failed", 100)
    wanted = derived()
    folder = RunFolder(tmp_path / "other")
    for trial in trials_of(wanted):
        folder.trial(trial.id).write_trial(trial.to_dict())
    assert take_finished(folder, wanted, trials_of(wanted), tmp_path) == {"sibling": 31}


def test_the_identity_of_a_trial_is_all_but_its_names() -> None:
    first, other = trials_of(experiment())[:2]
    renamed = first.to_dict() | {"experiment": "a", "task": "b", "variant": "c"}
    assert identity(first.to_dict()) == identity(renamed)
    assert identity(first.to_dict()) != identity(other.to_dict())
    assert identity(first.to_dict()) != identity(first.to_dict() | {"seed": 9})


def write_files(folder: Path, **own: object) -> Path:
    """Write ``base.yaml``, a whole experiment, and ``other.yaml``, which shares its runs."""
    runs = {k: v for k, v in BASE.items() if k not in ("name", "preset")}
    presets = {"quick": {"budget": 500, "variants": ["sac", "smm"]}}
    (folder / "base.yaml").write_text(yamlfile.dump(runs | {"presets": presets}))
    other = {"paper": "smm", "title": "Another figure", "same_runs_as": "base.yaml"}
    other |= {"metrics": {"score": {"key": "train/return_mean"}}}
    (folder / "other.yaml").write_text(yamlfile.dump(other | own))
    return folder / "other.yaml"


def test_what_runs_comes_from_the_other_file_with_its_presets(tmp_path: Path) -> None:
    loaded = catalog.declared(str(write_files(tmp_path)), Choices(preset="quick"))
    assert (loaded.name, loaded.same_runs_as) == ("smm/other", "smm/base")
    assert (loaded.budget, list(loaded.variants)) == (500, ["sac", "smm"])
    assert list(loaded.metrics) == ["score"]
    assert loaded.claims == ()
    base = catalog.declared(str(tmp_path / "base.yaml"), Choices(preset="quick"))
    assert [identity(t.to_dict()) for t in trials_of(loaded)] == [
        identity(t.to_dict()) for t in trials_of(base)
    ]


def test_a_file_that_shares_runs_may_not_change_them(tmp_path: Path) -> None:
    file = write_files(tmp_path, budget=7)
    with pytest.raises(UserError, match=r"other.yaml:\d+: budget: the runs are those of smm/base"):
        catalog.declared(str(file))


def test_an_unknown_experiment_is_answered_with_the_nearest(tmp_path: Path) -> None:
    file = write_files(tmp_path, same_runs_as="smm/fig2")
    with pytest.raises(UserError, match=r"other.yaml:\d+: same_runs_as: .*'smm/fig2"):
        catalog.declared(str(file))


def test_mistakes_in_the_other_file_are_placed_there(tmp_path: Path) -> None:
    file = write_files(tmp_path)
    text = (tmp_path / "base.yaml").read_text().replace("budget: 20000", "budget: -1")
    (tmp_path / "base.yaml").write_text(text)
    with pytest.raises(UserError, match=r"base.yaml:\d+: budget"):
        catalog.declared(str(file), Choices(preset="default"))
