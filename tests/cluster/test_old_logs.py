"""Log files of ended processes: which of them a cluster keeps."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from expedition.cluster import old_logs, processes
from expedition.cluster.state import Cluster, Node, boot_id

JOB = "01000000"


@pytest.fixture
def ended() -> int:
    """Id of a process that has ended."""
    process = subprocess.Popen([sys.executable, "-c", ""])
    process.wait()
    return process.pid


def _logs(node: Path) -> Path:
    logs = node / "session_2026-01-01_00-00-00_000000_1" / "logs"
    (logs / "events").mkdir(parents=True)
    (node / "session_latest").symlink_to(logs.parent)
    return logs


def _write(file: Path, minutes: float = 60) -> Path:
    file.write_text("a line\n")
    then = time.time() - 60 * minutes
    os.utime(file, (then, then))
    return file


def _names(logs: Path) -> set[str]:
    return {file.name for file in logs.rglob("*") if file.is_file()}


def test_the_newest_files_of_ended_processes_stay_on_each_node(tmp_path: Path, ended: int) -> None:
    for node in ("node-0", "node-1"):
        logs = _logs(tmp_path / node)
        for age in (2, 3, 4, 5):
            _write(logs / f"worker-{age:056x}-{JOB}-{ended}.out", age)
    assert old_logs.remove(tmp_path, 3) == 2
    for node in ("node-0", "node-1"):
        assert _names(tmp_path / node) == {
            f"worker-{age:056x}-{JOB}-{ended}.out" for age in (2, 3, 4)
        }


def test_everything_that_an_ended_process_left_goes(tmp_path: Path, ended: int) -> None:
    logs = _logs(tmp_path)
    _write(logs / f"worker-{'a' * 56}-{JOB}-{ended}.err")
    _write(logs / f"worker-{'a' * 56}-ffffffff-{ended}.out.1")
    _write(logs / f"python-core-worker-{'a' * 56}_{ended}.log")
    _write(logs / f"python-core-driver-{JOB}{'f' * 48}_{ended}.log")
    _write(logs / f"runtime_env_setup-{JOB}.log")
    _write(logs / "supervisor-smm-fig2c-quick.1.log")
    _write(logs / "events" / f"event_CORE_WORKER_{ended}.log")
    _write(logs / "events" / f"event_EXPORT_TASK_{ended}.log")
    assert old_logs.remove(tmp_path, 0) == 8
    assert _names(logs) == set()


def test_services_jobs_the_living_and_what_is_being_read_keep_theirs(
    tmp_path: Path, ended: int
) -> None:
    logs = _logs(tmp_path)
    kept = {
        _write(logs / name, minutes).name
        for name, minutes in {
            f"worker-{'a' * 56}-{JOB}-{os.getpid()}.out": 60,
            f"worker-{'b' * 56}-{JOB}-{ended}.out": 0,
            f"agent-{ended}.out": 60,
            "events/event_GCS.log": 60,
            "raylet.out": 60,
            "job-driver-smm-fig2c-quick.1.log": 60,
        }.items()
    }
    assert old_logs.remove(tmp_path, 0) == 0
    assert _names(logs) == kept


def test_of_a_driver_that_connects_again_and_again_the_last_file_stays(tmp_path: Path) -> None:
    logs = _logs(tmp_path)
    jobs = ("01000000", "ff000000", "00010000")  # 1, 255 and 256
    files = [_write(logs / f"python-core-driver-{job}{'f' * 48}_{os.getpid()}.log") for job in jobs]
    assert old_logs.remove(tmp_path, 0) == 2
    assert _names(logs) == {files[-1].name}


def test_it_runs_in_the_background_and_is_found_by_the_key_of_its_cluster(
    tmp_path: Path, ended: int
) -> None:
    logs = _logs(tmp_path)
    old = _write(logs / f"worker-{'a' * 56}-{JOB}-{ended}.out")
    nodes = (Node("node-0", 1),)
    cluster = Cluster("5eed", boot_id(), "http://a:1", "a:2", "ray://", tmp_path, nodes)
    old_logs.start(tmp_path, 0, {**os.environ, processes.MARKER: cluster.key})
    found = processes.members(cluster)
    try:
        assert len(found) == 1
        deadline = time.monotonic() + 10
        while old.exists() and time.monotonic() < deadline:
            time.sleep(0.02)
        assert not old.exists()
    finally:
        assert processes.end(found) == []
