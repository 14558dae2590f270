from __future__ import annotations

import json
import math
import os
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from fakes import fake_experiment

from expedition.platform import checkpoints
from expedition.platform.errors import UserError
from expedition.platform.ownership import Ownership, OwnershipLostError
from expedition.platform.plan import trials_of
from expedition.platform.store import (
    RunFolder,
    TrialFolder,
    read_json,
    replacing,
    require_writable,
    results_folder,
    write_json,
)

TRIAL = trials_of(fake_experiment())[0]


def _files(tmp_path: Path) -> TrialFolder:
    tmp_path.mkdir(exist_ok=True)
    return TrialFolder(tmp_path)


def _checkpoint(folder: Path, iteration: int, text: str = "weights") -> Path:
    position = {"iteration": iteration, "env_steps": 10 * iteration, "seconds": 0.5}
    return checkpoints.publish(
        folder, TRIAL, position, lambda path: Path(path, "state.txt").write_text(text)
    )


def test_a_file_is_replaced_whole_or_not_at_all(tmp_path: Path) -> None:
    path = tmp_path / "a" / "file.txt"
    with replacing(path) as temporary:
        temporary.write_text("first")

    def torn() -> None:
        with replacing(path) as temporary:
            temporary.write_text("half of the sec")
            raise ValueError("torn")

    with pytest.raises(ValueError, match="torn"):
        torn()

    assert path.read_text() == "first"
    assert [file.name for file in path.parent.iterdir()] == ["file.txt"]


def test_json_holds_numpy_and_writes_what_is_not_finite_as_null(tmp_path: Path) -> None:
    write_json(tmp_path / "x.json", {"a": np.float32(0.5), "b": math.nan, "c": np.arange(2)})

    assert read_json(tmp_path / "x.json") == {"a": 0.5, "b": None, "c": [0, 1]}
    assert read_json(tmp_path / "absent.json") == {}


def test_a_damaged_json_file_is_named(tmp_path: Path) -> None:
    (tmp_path / "x.json").write_text('{"a": ')
    with pytest.raises(UserError, match=r"cannot read .*x\.json"):
        read_json(tmp_path / "x.json")


def test_rows_end_at_a_line_cut_short_and_can_be_cut_back(tmp_path: Path) -> None:
    files = _files(tmp_path)
    for iteration in (1, 2, 3):
        files.append_row({"iteration": iteration, "env_steps": 10 * iteration})
    with files.progress.open("a") as file:
        file.write('{"iteration": 4, "env_')

    assert [row["iteration"] for row in files.rows()] == [1, 2, 3]
    assert files.cut_back(2) == files.rows() == [
        {"iteration": 1, "env_steps": 10},
        {"iteration": 2, "env_steps": 20},
    ]  # fmt: skip
    assert files.progress.read_text().count("\n") == 2


def test_a_trial_is_pending_until_it_says_otherwise(tmp_path: Path) -> None:
    files = _files(tmp_path)
    assert files.status() == {"state": "pending", "env_steps": 0}

    files.set_status("failed", 30, error={"type": "X"})
    assert files.status() == {"state": "failed", "env_steps": 30, "error": {"type": "X"}}


def test_coverage_names_lose_their_slashes(tmp_path: Path) -> None:
    files = _files(tmp_path)
    files.write_coverage({"train/visits": np.eye(2)})

    with np.load(files.coverage) as arrays:
        assert list(arrays) == ["train__visits"]
        np.testing.assert_array_equal(arrays["train__visits"], np.eye(2))


def test_trial_ids_are_folders_below_trials(tmp_path: Path) -> None:
    run = RunFolder(tmp_path)
    for name in ("b/low/seed_1", "a/low/p1/seed_0"):
        run.trial(name).write_trial({})
    assert run.trial_ids() == ["a/low/p1/seed_0", "b/low/seed_1"]


def test_the_results_folder_is_chosen_by_argument_then_environment(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("EXPEDITION_RESULTS", raising=False)
    assert results_folder() == tmp_path / "results"
    monkeypatch.setenv("EXPEDITION_RESULTS", "/elsewhere")
    assert results_folder() == Path("/elsewhere")
    assert results_folder("/here") == Path("/here")


def test_a_folder_that_cannot_be_written_is_one_line_with_the_reason(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(UserError, match=r"cannot write .*file/x: Not a directory") as caught:
        require_writable(tmp_path / "file" / "x")
    assert "\n" not in str(caught.value)


@pytest.mark.skipif(os.geteuid() == 0, reason="nothing is read-only to the administrator")
def test_a_read_only_folder_is_one_line(tmp_path: Path) -> None:
    tmp_path.chmod(0o500)
    with pytest.raises(UserError, match="Permission denied"):
        require_writable(tmp_path / "results")


def test_the_newest_two_checkpoints_are_kept(tmp_path: Path) -> None:
    for iteration in (3, 6, 9):
        _checkpoint(tmp_path, iteration)

    found = [(path.name, c and c.env_steps) for path, c in checkpoints.newest_first(tmp_path)]

    assert found == [("000009", 90), ("000006", 60)]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["000006", "000009"]


def test_a_checkpoint_knows_its_trial_and_place(tmp_path: Path) -> None:
    read = checkpoints.read(_checkpoint(tmp_path, 4))

    assert (read.iteration, read.env_steps, read.seconds) == (4, 40, 0.5)
    assert read.trial == TRIAL
    record = json.loads((read.path / "checkpoint.json").read_text())
    assert record["files"]["state.txt"][0] == len("weights")


@pytest.mark.parametrize("damage", ["changed", "cut", "gone", "no record", "old record"])
def test_a_damaged_checkpoint_is_noticed(tmp_path: Path, damage: str) -> None:
    path = _checkpoint(tmp_path, 4)
    if damage == "gone":
        (path / "state.txt").unlink()
    elif damage == "no record":
        (path / "checkpoint.json").unlink()
    elif damage == "old record":
        record = read_json(path / "checkpoint.json")
        del record["files"], record["seconds"]
        write_json(path / "checkpoint.json", record)
    else:
        (path / "state.txt").write_text("w3ights" if damage == "changed" else "weig")

    assert [checkpoint for _, checkpoint in checkpoints.newest_first(tmp_path)] == [None]
    reason = r"state\.txt is not what was written|no checkpoint\.json|has no files, seconds"
    with pytest.raises(UserError, match=reason):
        checkpoints.read(path)


def test_an_interrupted_save_leaves_the_earlier_checkpoint(tmp_path: Path) -> None:
    _checkpoint(tmp_path, 1)

    def fails(path: str) -> None:
        Path(path, "state.txt").write_text("half")
        raise OSError(28, "No space left on device")

    with pytest.raises(OSError, match="No space"):
        checkpoints.publish(
            tmp_path, TRIAL, {"iteration": 2, "env_steps": 20, "seconds": 1.0}, fails
        )
    assert [path.name for path in tmp_path.iterdir()] == ["000001"]


def test_all_of_a_checkpoint_is_on_the_disk_before_it_counts_and_before_an_older_one_goes(
    tmp_path: Path, watch_disk: Callable[[], list[str]]
) -> None:
    def save(folder: str) -> None:
        (Path(folder) / "learner").mkdir()
        (Path(folder) / "learner" / "weights").write_bytes(b"12")

    _checkpoint(tmp_path, 1)
    _checkpoint(tmp_path, 2)
    done = watch_disk()
    checkpoints.publish(tmp_path, TRIAL, {"iteration": 3, "env_steps": 30, "seconds": 1.5}, save)
    assert set(done[:4]) == {"weights", "learner", "checkpoint.json", ".000003.tmp"}
    assert done[4:] == ["rename to 000003", tmp_path.name, "remove 000001"]


def test_find_takes_a_checkpoint_or_a_trial_folder(tmp_path: Path) -> None:
    older = _checkpoint(tmp_path / "checkpoints", 1)
    newer = _checkpoint(tmp_path / "checkpoints", 2)

    assert checkpoints.find(older).path == older
    assert checkpoints.find(tmp_path).path == newer
    assert checkpoints.find(tmp_path / "checkpoints").path == newer
    with pytest.raises(UserError, match=r"no checkpoint at .*nowhere"):
        checkpoints.find(tmp_path / "nowhere")
    with pytest.raises(UserError, match="is not a checkpoint"):
        checkpoints.find(Path(__file__).parent)


def test_find_says_that_it_passes_over_a_damaged_checkpoint(tmp_path: Path) -> None:
    older = _checkpoint(tmp_path / "checkpoints", 1)
    newer = _checkpoint(tmp_path / "checkpoints", 2)
    (newer / "state.txt").write_text("w3ights")
    said: list[str] = []
    assert checkpoints.find(tmp_path, said.append).path == older
    assert said == [f"checkpoint {newer} is damaged: taking 000001 instead"]
    (older / "state.txt").unlink()
    with pytest.raises(UserError, match=r"000002 is damaged: state\.txt is not what was written"):
        checkpoints.find(tmp_path)


def test_a_folder_that_is_owned_is_refused(tmp_path: Path) -> None:
    owner = Ownership.take(tmp_path)
    with pytest.raises(UserError, match=f"being written by process {os.getpid()}"):
        Ownership.take(tmp_path)
    owner.release()
    Ownership.take(tmp_path).release()


def test_taking_over_ends_the_earlier_owner(tmp_path: Path) -> None:
    earlier = Ownership.take_over(tmp_path, patience=0.0)
    earlier.check()

    later = Ownership.take_over(tmp_path, patience=0.2)

    later.check()
    with pytest.raises(OwnershipLostError, match="taken over"):
        earlier.check()
