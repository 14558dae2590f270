"""A real cluster of three nodes: experiments submitted, followed, stopped, resumed and moved."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from mlflow import MlflowClient
from quick_spec import PLUGIN, rows_of, undisturbed, wait_for, write_spec

from expedition.cluster import local, old_logs, processes, state, submission, wheel
from expedition.cluster.dashboard import Dashboard, connect
from expedition.cluster.request import Request, read
from expedition.cluster.state import Cluster, plan_nodes
from expedition.platform.cli.app import run
from expedition.platform.errors import UserError
from expedition.platform.session import quiet
from expedition.platform.store import DONE, RUNNING, RunFolder, TrialFolder, read_json

pytestmark = pytest.mark.slow


@pytest.fixture(autouse=True)
def fake_method(monkeypatch: pytest.MonkeyPatch) -> None:
    """Find the method "fake" as a third party's is found."""
    monkeypatch.syspath_prepend(str(PLUGIN))


@pytest.fixture(scope="module", autouse=True)
def mlflow_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A real tracking server, which starts while the cluster does."""
    folder = tmp_path_factory.mktemp("mlflow")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    uri = f"http://127.0.0.1:{port}"
    server = subprocess.Popen(
        [
            sys.executable, "-m", "mlflow", "server", "--port", str(port), "--workers", "1",
            "--backend-store-uri", f"sqlite:///{folder}/mlflow.db",
            "--artifacts-destination", str(folder / "artifacts"),
        ],
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True,
    )  # fmt: skip
    try:
        yield uri
    finally:
        os.killpg(server.pid, signal.SIGKILL)
        server.wait()


def _healthy(uri: str) -> bool:
    try:
        urllib.request.urlopen(f"{uri}/health", timeout=1).close()
    except OSError:
        return False
    return True


@pytest.fixture
def one_wheel(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    """Build the wheel once: its sources may be edited while the tests run."""
    made = wheel.make(tmp_path_factory.mktemp("wheel"))
    monkeypatch.setattr(wheel, "make", lambda folder: made)
    quiet(False)


@pytest.fixture
def send(cluster: Cluster, one_wheel: None, tmp_path: Path) -> Callable[..., submission.Job]:
    """Submit a command and collect what is said."""

    def submit(request: Request, **options: str) -> submission.Job:
        said: list[str] = []
        place = tmp_path / "results"
        job = submission.submit(connect(None), request, place, options.get("tracking"), said.append)
        submit.said = said  # type: ignore[attr-defined]
        return job

    return submit


def test_a_node_listens_on_the_loopback_alone(cluster: Cluster) -> None:
    pids = processes.members(cluster)
    assert len(pids) > 10
    listening = [line for name in ("tcp", "tcp6") for line in _listeners(pids, name)]
    assert len(listening) > 10
    assert set(listening) <= {"0100007F", "0000000000000000FFFF00000100007F"}


def test_what_has_ended_is_forgotten_by_head_and_disk(cluster: Cluster) -> None:
    started = {
        pid: Path(f"/proc/{pid}/cmdline").read_text(errors="replace")
        for pid in processes.members(cluster)
    }
    assert sum(old_logs.__name__ in words for words in started.values()) == 1
    (head,) = (pid for pid, words in started.items() if "gcs_server" in words.split("\0")[0])
    variables = Path(f"/proc/{head}/environ").read_text(errors="replace").split("\0")
    assert "RAY_task_events_max_num_task_in_gcs=2000" in variables


def _listeners(pids: list[int], table: str) -> list[str]:
    """Addresses, in the kernel's hexadecimal, on which processes listen."""
    inodes = set()
    for pid in pids:
        for link in Path(f"/proc/{pid}/fd").iterdir():
            target = os.readlink(link) if link.is_symlink() else ""
            inodes.add(target.removeprefix("socket:[").removesuffix("]"))
    rows = [line.split() for line in Path(f"/proc/net/{table}").read_text().splitlines()[1:]]
    return [row[1].split(":")[0] for row in rows if row[3] == "0A" and row[9] in inodes]


def test_the_token_opens_the_cluster_and_is_nowhere_to_be_read(
    cluster: Cluster, capfd: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(UserError, match="refuses the token of a friend"):
        Dashboard(cluster.address, "wrong", "a friend").require_ray()
    with pytest.raises(UserError, match="wants a token"):
        submission.jobs(Dashboard(cluster.address))
    assert run(["cluster", "status"]) == 0
    assert run(["cluster", "env"]) == 0
    shown = capfd.readouterr().out
    assert f"RAY_ADDRESS={cluster.gcs}" in shown

    token = state.token_file().read_bytes()
    assert token.decode() not in shown
    files = [file for file in cluster.scratch.rglob("*") if file.is_file()]
    assert len(files) > 20
    assert not [file for file in files if token in file.read_bytes()]
    assert token not in state.state_file().read_bytes()


def test_a_second_cluster_is_refused(cluster: Cluster) -> None:
    with pytest.raises(UserError, match=f"a cluster is up at {cluster.address}: end it"):
        local.up(plan_nodes(1, [1]), object_store_mib=80, dashboard_port=None)
    assert state.load() == cluster


def test_a_run_is_stopped_resumed_loses_a_node_and_has_the_numbers_of_an_undisturbed_one(
    cluster: Cluster,
    send: Callable[..., submission.Job],
    mlflow_server: str,
    tmp_path: Path,
    capfd: pytest.CaptureFixture[str],
) -> None:
    variants = {"one": {"algorithm": "fake", "config": {"sleep_s": 0.25}}}
    file = write_spec(tmp_path / "mine" / "quick.yaml", variants=variants, budget=600)
    request = read(["run", str(file), "--seeds", "2"])
    wait_for(lambda: _healthy(mlflow_server))
    job = send(request, tracking=mlflow_server)
    _is_sent_once(send, request, file, job)

    folder = RunFolder(tmp_path / "results" / job.run)
    trials = [folder.trial(f"default/one/seed_{seed}") for seed in (0, 1)]
    wait_for(lambda: any(len(trial.rows()) > 4 for trial in trials))
    assert run(["stop", job.id]) == 0  # which waits for its end
    assert submission.find(connect(None), job.id).status == "STOPPED"
    saved = [len(trial.rows()) for trial in trials]
    assert RUNNING in [trial.status()["state"] for trial in trials]
    assert any(trial.checkpoints.is_dir() for trial in trials)

    second = send(request, tracking=mlflow_server)
    assert second.id == "test-quick-default.2"
    assert send.said[0] == f"run {job.run} goes on where job {job.id} left it"
    assert "already there" in send.said[1]
    moved = list(zip(trials, saved, strict=True))
    wait_for(lambda: any(len(t.rows()) > n and _node(cluster, t) for t, n in moved))
    lost = next(_node(cluster, t) for t, n in moved if len(t.rows()) > n and _node(cluster, t))
    for pid in processes.node_members(cluster, lost):
        os.kill(pid, signal.SIGKILL)
    capfd.readouterr()
    assert run(["logs", "--follow", job.run]) == 0
    shown = capfd.readouterr().out
    assert "2 of 2 trials done" in shown
    assert state.token_file().read_text() not in shown

    expected = undisturbed(request.experiment, tmp_path / "expected")
    assert {trial: rows_of(folder.trial(trial)) for trial in folder.trial_ids()} == expected
    assert [trial.status()["state"] for trial in trials] == [DONE, DONE]
    states = {node.name: node.state for node in local.status()[1]}
    assert states == {"node-0": "alive", "node-1": "alive", "node-2": "alive", lost: "dead"}
    assert run(["cluster", "status"]) == 1
    assert (folder.path / "report/index.html").exists()
    _is_tracked(mlflow_server)


def test_a_run_that_loses_the_head_goes_on_in_a_new_cluster_with_the_numbers_of_an_undisturbed_one(
    cluster: Cluster,
    start_another: Callable[[int], Cluster],
    send: Callable[..., submission.Job],
    tmp_path: Path,
) -> None:
    # The last of this file: the cluster of the session ends here.
    variants = {"one": {"algorithm": "fake", "config": {"sleep_s": 0.25}}}
    file = write_spec(tmp_path / "mine" / "quick.yaml", variants=variants, budget=160)
    request = read(["run", str(file), "--no-track"])
    job = send(request)
    folder = RunFolder(tmp_path / "results" / job.run)
    trial = folder.trial("default/one/seed_0")
    wait_for(lambda: trial.checkpoints.is_dir() and any(trial.checkpoints.glob("0*")))
    for pid in processes.node_members(cluster, "node-0"):
        os.kill(pid, signal.SIGKILL)
    saved = trial.rows()[:3]  # up to the first checkpoint
    assert trial.status()["state"] == RUNNING

    with pytest.raises(UserError, match="clear it away with expedition cluster down"):
        send(request)
    assert local.down() == cluster
    start_another(1)
    again = send(request)
    assert again.run == job.run
    wait_for(lambda: submission.find(connect(None), again.id).ended)
    assert submission.find(connect(None), again.id).status == "SUCCEEDED"
    assert trial.rows()[:3] == saved  # with their times: they were not made again
    expected = undisturbed(request.experiment, tmp_path / "expected")
    assert {name: rows_of(folder.trial(name)) for name in folder.trial_ids()} == expected


def _is_sent_once(
    send: Callable[..., submission.Job], request: Request, file: Path, job: submission.Job
) -> None:
    """What was sent is told; while it runs, sending it again finds it, and another is refused."""
    assert job.id == "test-quick-default.1"
    assert "code: expedition-" in send.said[0]
    assert "MiB" in send.said[0]
    assert send.said[1].startswith("files: mine/quick.yaml, 0.")
    assert send(request).id == job.id
    assert send.said == [f"job {job.id} is running this already"]
    with pytest.raises(UserError, match="with other settings: end it with expedition stop"):
        send(read(["run", str(file), "--seeds", "4"]))


def _is_tracked(server: str) -> None:
    """One parent and a child a trial, of both jobs together, every row once."""
    client = MlflowClient(server)
    found = client.get_experiment_by_name("test/quick")
    runs = client.search_runs([found.experiment_id])
    assert len(runs) == 3
    assert {each.info.status for each in runs} == {"FINISHED"}
    (parent,) = (each for each in runs if "mlflow.parentRunId" not in each.data.tags)
    assert "report" in {artifact.path for artifact in client.list_artifacts(parent.info.run_id)}
    (child,) = (each for each in runs if each.data.tags.get("seed") == "1")
    history = client.get_metric_history(child.info.run_id, "train/return_mean")
    assert sorted(point.step for point in history) == list(range(10, 601, 10))


def _node(cluster: Cluster, trial: TrialFolder) -> str:
    """Name of the node, if it is not the head, on which a trial runs now."""
    if trial.status()["state"] != RUNNING:
        return ""
    pid = read_json(trial.path / ".owner.json")["pid"]
    names = [node.name for node in cluster.nodes[1:]]
    return next((name for name in names if pid in processes.node_members(cluster, name)), "")
