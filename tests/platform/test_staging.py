"""Results in an object store: servers that speak S3's and Google's, nodes that share no more."""

from __future__ import annotations

import os
import shutil
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from fakes import fake_experiment, finish, rows_of

from expedition.platform import bucket as buckets
from expedition.platform import checkpoints, manifest, results, staging
from expedition.platform.bucket import Bucket, BucketError
from expedition.platform.cli.app import run as command
from expedition.platform.errors import UserError
from expedition.platform.evaluation import open_checkpoint
from expedition.platform.launch import plan_trials
from expedition.platform.ownership import Ownership, OwnershipLostError
from expedition.platform.places import address, located, located_run
from expedition.platform.plan import Trial, trials_of
from expedition.platform.runfolder import is_new, open_run
from expedition.platform.store import RunFolder, TrialFolder, results_folder
from expedition.platform.trial_run import TrialRun
from expedition.platform.trial_staging import StagedTrial


class KilledError(BaseException):
    """Stands for kill -9: nothing catches it, and nothing that comes after it is done."""


@contextmanager
def _s3() -> Iterator[str]:
    pytest.importorskip("moto")
    import boto3
    from moto.server import ThreadedMotoServer

    started = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    started.start()
    host, port = started.get_host_and_port()
    with pytest.MonkeyPatch.context() as patch:
        for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
            patch.setenv(name, "test")
        patch.setenv("AWS_EC2_METADATA_DISABLED", "true")
        url = f"http://{host}:{port}"
        boto3.client("s3", endpoint_url=url, region_name="us-east-1").create_bucket(Bucket="lab")
        yield f"?endpoint_override={host}:{port}&scheme=http&region=us-east-1"
    started.stop()


@contextmanager
def _gs() -> Iterator[str]:
    emulator = pytest.importorskip("gcp_storage_emulator.server")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    with emulator.create_server("127.0.0.1", port, in_memory=True, default_bucket="lab"):
        yield f"?endpoint_override=127.0.0.1:{port}&scheme=http"


_SERVERS = {"s3": _s3, "gs": _gs}


@pytest.fixture(scope="module", params=_SERVERS)
def server(request: pytest.FixtureRequest) -> Iterator[tuple[str, str]]:
    """A kind of store, and the options of a URI that lead to one with the bucket ``lab``."""
    with _SERVERS[request.param]() as options:
        yield request.param, options


@pytest.fixture
def store(server: tuple[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """URI of results that are this test's own, seen from the first node."""
    monkeypatch.setattr(buckets, "_PAUSES", ())
    _go_to(tmp_path / "first", monkeypatch)
    scheme, options = server
    return f"{scheme}://lab/{tmp_path.name}{options}"


def _go_to(node: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Be on another node from here on: one that keeps its files elsewhere."""
    monkeypatch.setenv("EXPEDITION_HOME", str(node))
    staging._staged_run.cache_clear()


def _advance(run: TrialRun, env_steps: int) -> None:
    while run.env_steps < env_steps:
        run.advance()


@pytest.fixture
def trial() -> Trial:
    """A trial of ten iterations, saved at every third and at the end."""
    return trials_of(fake_experiment())[0]


@pytest.fixture
def expected(trial: Trial, tmp_path: Path) -> list[dict[str, Any]]:
    """The rows of the trial in a folder, undisturbed."""
    return finish(trial, TrialFolder(tmp_path / "reference"))


def _folder(store: str, trial: Trial) -> TrialFolder:
    return RunFolder(results_folder(store) / "run").trial(trial.id)


def test_a_uri_and_its_folder_are_known_from_each_other(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EXPEDITION_HOME", "/node")
    folder = located(Path("s3://lab/results/"))
    assert folder == Path("/node/staging/s3%3A%2F%2Flab%2Fresults")
    assert address(folder / "run" / "report") == "s3://lab/results/run/report"
    assert located_run("s3://lab/results/run/trials/a/b") == folder / "run/trials/a/b"
    assert located_run("s3://lab/run") == located("s3://lab") / "run"
    assert address(located("gs://lab?x=1") / "run") == "gs://lab/run?x=1"
    assert address(Path("/nfs/results/run")) == "/nfs/results/run"
    assert located("results") == Path.cwd() / "results"


@pytest.mark.parametrize(
    ("place", "line"),
    [
        ("abfs://lab/results", "results lie in a folder, or at s3://BUCKET/PREFIX or gs://"),
        ("s3://", "names no bucket"),
        ("s3://me:secret@lab/results", "do not belong into an address"),
    ],
)
def test_an_address_that_cannot_be_is_one_line(
    place: str, line: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert command(["run", "smm/fig2c", "--results", place]) == 2
    said = capsys.readouterr().err
    assert line in said
    assert said.count("\n") == 1
    assert "secret" not in said.replace("AWS_SECRET", "").replace("secret_key", "")


def test_a_bucket_that_cannot_be_used_is_one_line_before_anything_starts(
    store: str,
    server: tuple[str, str],
    capsys: pytest.CaptureFixture[str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def says(place: str) -> str:
        assert command(["run", "smm/fig2c", "--results", place]) == 2
        said = capsys.readouterr().err
        assert said.count("\n") == 1
        return said

    scheme, options = server
    assert "there is no such bucket" in says(f"{scheme}://nobody/results{options}")
    if scheme == "s3":  # from here on the server knows its users, and we are none of them
        monkeypatch.setattr("moto.settings.INITIAL_NO_AUTH_ACTION_COUNT", 0)
        assert "access denied" in says(store)
    assert not (tmp_path / "first").exists()


def test_a_trial_goes_on_at_another_node_and_the_first_lets_go(
    store: str,
    trial: Trial,
    expected: list[dict[str, Any]],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    left = TrialRun(trial, _folder(store, trial))
    _advance(left, 50)

    _go_to(tmp_path / "second", monkeypatch)
    there = _folder(store, trial)
    run = TrialRun(trial, there)
    assert (run.env_steps, len(run.rows)) == (30, 3)
    _advance(run, 60)
    with pytest.raises(OwnershipLostError, match="taken over elsewhere"):
        left.advance()
    left.close()
    _advance(run, 100)
    run.close()

    assert rows_of(there) == expected
    assert there.status()["state"] == "done"
    kept = Bucket(store).listing(f"run/trials/{trial.id}")
    assert {name.split("/")[1] for name in kept if name.startswith("check")} == {"000009", "000010"}
    assert not there.checkpoints.exists()  # they are in the store


@pytest.mark.parametrize("uploads", [0, 4, 5])
def test_an_upload_killed_anywhere_leaves_a_trial_that_ends_with_the_same_numbers(
    uploads: int,
    store: str,
    trial: Trial,
    expected: list[dict[str, Any]],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    run = TrialRun(trial, _folder(store, trial))
    _advance(run, 50)
    left, copy = [uploads], Bucket._copy

    def dying(*arguments: Any) -> None:
        left[0] -= 1
        if left[0] < 0:
            raise KilledError
        copy(*arguments)

    monkeypatch.setattr(Bucket, "_copy", dying)
    with pytest.raises(KilledError):
        _advance(run, 100)
    monkeypatch.setattr(Bucket, "_copy", copy)

    _go_to(tmp_path / "second", monkeypatch)
    there = _folder(store, trial)
    resumed = TrialRun(trial, there)
    assert resumed.env_steps == (60 if uploads > 4 else 30)
    assert resumed.notes == []
    assert [row["iteration"] for row in resumed.rows] == list(range(1, resumed.env_steps // 10 + 1))
    _advance(resumed, 100)
    resumed.close()
    assert rows_of(there) == expected


def test_a_store_that_is_away_costs_one_warning_and_is_sent_what_it_missed(
    store: str, trial: Trial, expected: list[dict[str, Any]], monkeypatch: pytest.MonkeyPatch
) -> None:
    def away(*arguments: Any) -> None:
        raise BucketError("cannot use s3://lab: it cannot be reached")

    here = _folder(store, trial)
    run = TrialRun(trial, here)
    with monkeypatch.context() as patch:
        patch.setattr(Bucket, "_tried", away)
        _advance(run, 100)
        assert len(run.notes) == 1
        assert "it cannot be reached; nothing is lost" in run.notes[0]
        run.close()
    assert here.checkpoints.is_dir()

    # The next launch on this machine sends it before it looks for what is to be done.
    staging.refresh(RunFolder(results_folder(store) / "run"))
    shutil.rmtree(results_folder(store))
    staging.refresh(RunFolder(results_folder(store) / "run"))
    assert rows_of(here) == expected
    assert here.status()["state"] == "done"


def test_a_damaged_checkpoint_in_the_store_gives_way_to_the_one_before(
    store: str, trial: Trial, expected: list[dict[str, Any]], monkeypatch: pytest.MonkeyPatch
) -> None:
    run = TrialRun(trial, _folder(store, trial))
    _advance(run, 70)
    Bucket(store).write(f"run/trials/{trial.id}/checkpoints/000006/fake.json", b"{")
    monkeypatch.setenv("EXPEDITION_HOME", f"{os.environ['EXPEDITION_HOME']}-second")
    resumed = TrialRun(trial, _folder(store, trial))
    assert resumed.env_steps == 30
    assert "000006 is not readable; going on from iteration 3" in resumed.notes[0]
    _advance(resumed, 100)
    resumed.close()
    assert rows_of(_folder(store, trial)) == expected


def _launch_without_ray(store: str) -> RunFolder:
    """What a launch does, with its trials run here one after the other."""
    experiment = fake_experiment()
    folder = open_run(results_folder(store), experiment, name="run", resume=False)
    ownership = Ownership.take(folder.path)
    manifest.begin(folder, ["expedition"], "default")
    staging.begin(folder)
    trials = plan_trials(folder, experiment, None)
    staging.send_plans(folder)
    for trial in trials:
        finish(trial, folder.trial(trial.id))
    manifest.end(folder, manifest.FINISHED)
    assert staging.end(folder) is None
    ownership.release()
    return folder


def test_a_run_is_read_on_a_machine_that_never_saw_it(
    store: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    written = results.read(_launch_without_ray(store).path)
    shutil.rmtree(tmp_path / "first")

    _go_to(tmp_path / "second", monkeypatch)
    assert results.newest_finished("test/fake", store) == results_folder(store) / "run"
    found = results.read(results.find("run", store))
    assert found.rows.equals(written.rows)
    assert found.finished
    assert found.manifest == written.manifest
    assert not list(found.path.rglob("checkpoints"))
    assert results.find(store.replace("?", "/run?")) == found.path

    low = trials_of(fake_experiment())[0]
    place = store.replace("?", f"/run/trials/{low.id}?")
    assert open_checkpoint(Path(place)).env_steps == 100
    before = Path(store.replace("?", f"/run/trials/{low.id}/checkpoints/000009?"))
    assert open_checkpoint(before).env_steps == 90

    with pytest.raises(UserError, match=r"://lab/.*/run\?.* already holds a run"):
        open_run(results_folder(store), fake_experiment(), name="run", resume=False)
    resumed = open_run(results_folder(store), fake_experiment(seeds=2), name="run", resume=True)
    assert len(resumed.trial_ids()) == 2

    Bucket(store).remove_folder("run")
    with pytest.raises(UserError, match=r"no run 'run' in (s3|gs)://lab/"):
        results.find("run", store)
    assert not found.path.exists()


def test_a_run_that_was_refused_leaves_nothing_here_or_there(store: str) -> None:
    folder = open_run(results_folder(store), fake_experiment(), name="run", resume=False)
    assert is_new(folder)
    ownership = Ownership.take(folder.path)
    manifest.begin(folder, ["expedition"], "default")
    staging.begin(folder)
    plan_trials(folder, fake_experiment(), None)
    staging.send_plans(folder)
    assert not is_new(folder)
    staging.discard(folder)
    ownership.release()
    assert not folder.path.exists()
    assert Bucket(store).listing("run") == {}
    again = open_run(results_folder(store), fake_experiment(), name="run", resume=False)
    assert is_new(again)


def test_a_row_that_is_being_written_here_is_not_replaced(store: str, trial: Trial) -> None:
    run = TrialRun(trial, _folder(store, trial))
    _advance(run, 50)
    staging.refresh(RunFolder(results_folder(store) / "run"))
    assert len(run.folder.rows()) == 5
    run.close()


def test_what_was_not_sent_stays_where_the_store_turns_out_to_be_empty(
    store: str, trial: Trial
) -> None:
    run = TrialRun(trial, _folder(store, trial))
    _advance(run, 50)
    run._ownership.release()  # the process dies
    Bucket(store).remove_folder("run")
    staging.refresh(RunFolder(results_folder(store) / "run"))
    assert len(_folder(store, trial).rows()) == 5


def test_what_tune_leaves_in_a_store_goes_and_nothing_else(store: str) -> None:
    bucket = Bucket(store)
    path, files = bucket.storage("run/.tune")
    files.create_dir(f"{path}/tune/trial")
    for key in ("run/spec.yaml", "run/.tune/tune/trial/state", "other/spec.yaml"):
        bucket.write(key, b"x")
    for _ in range(2):  # it is no mistake if there is nothing
        bucket.remove_folder("run/.tune")
    assert set(bucket.listing("")) == {"run/spec.yaml", "other/spec.yaml"}
    assert files.get_file_info(f"{path}/tune").type.name == "NotFound"
    assert bucket.folders() == ["other", "run"]


def test_a_failed_trial_names_its_last_checkpoint_in_the_store(store: str, trial: Trial) -> None:
    failing = replace(trial, config={**trial.config, "nan_at": 50})
    run = TrialRun(failing, _folder(store, failing))
    _advance(run, 40)
    try:
        run.advance()
    except Exception as error:
        report = run.fail(error)
    run.close()
    place = store.replace("?", f"/run/trials/{failing.id}/checkpoints/000003?")
    assert report["last_good_checkpoint"] == place
    shutil.rmtree(results_folder(store))
    staging.refresh(RunFolder(results_folder(store) / "run"))
    assert _folder(store, failing).status()["error"] == report
    assert checkpoints.find(staging.fetched_checkpoint(Path(place))).iteration == 3
    assert StagedTrial.of(TrialFolder(Path("/nfs/results/run/trials/x"))) is None
