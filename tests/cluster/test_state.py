"""The plan of a local cluster, its small file, and what a crash leaves."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from expedition.cluster import local, processes, state
from expedition.cluster.state import Cluster, Node, plan_nodes
from expedition.platform.errors import UserError


def _write(scratch: Path, *, boot: str, key: str = "0123456789abcdef", session: int = 0) -> Cluster:
    state.folder().mkdir(parents=True, exist_ok=True)
    nodes = (Node("node-0", 1, session),)
    cluster = Cluster(key, boot, "http://127.0.0.1:1", "127.0.0.1:2", "ray://", scratch, nodes)
    state.save(cluster)
    state.make_token()
    return cluster


def test_nodes_take_their_cpus_in_order_or_all_the_same() -> None:
    assert [node.cpus for node in plan_nodes(3, [1, 1, 2])] == [1, 1, 2]
    assert [node.cpus for node in plan_nodes(3, [2])] == [2, 2, 2]
    assert [node.name for node in plan_nodes(None, [1, 4])] == ["node-0", "node-1"]
    with pytest.raises(UserError, match="--cpus names 2 nodes and --nodes 3"):
        plan_nodes(3, [1, 2])
    with pytest.raises(UserError, match="some node needs a CPU"):
        plan_nodes(2, [0])


def test_the_state_is_read_as_it_was_written(tmp_path: Path) -> None:
    assert state.load() is None
    cluster = _write(tmp_path, boot="b", session=77)
    assert state.load() == cluster
    assert state.load().started("node-0", 99).sessions == {99}
    state.state_file().write_text('{"nodes": []}')
    with pytest.raises(UserError, match="is not the state of a cluster"):
        state.load()


def test_what_a_crash_left_is_ended_and_removed(tmp_path: Path) -> None:
    scratch = tmp_path / "expedition-cluster-x"
    scratch.mkdir()
    cluster = _write(scratch, boot=state.boot_id())
    # One that ignores the request to end, and has left its session, as a job's driver does.
    code = "import signal, time; signal.signal(15, signal.SIG_IGN); print(flush=1); time.sleep(60)"
    marked = {**os.environ, processes.MARKER: cluster.key}
    left = subprocess.Popen(
        [sys.executable, "-c", code], env=marked, stdout=subprocess.PIPE, start_new_session=True
    )
    other = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE)
    assert left.stdout is not None
    assert other.stdout is not None
    left.stdout.readline(), other.stdout.readline()
    try:
        assert processes.members(cluster) == [left.pid]
        assert local.down() == cluster
        assert left.wait(5) == -9
        assert other.poll() is None
    finally:
        other.kill()
        other.wait()
    assert not scratch.exists()
    assert state.load() is None
    assert local.down() is None


def test_process_ids_of_an_earlier_start_of_the_system_mean_nothing(tmp_path: Path) -> None:
    cluster = _write(tmp_path, boot="before", session=os.getsid(0))
    assert processes.members(cluster) == []
    assert local.down() == cluster
    assert tmp_path.exists()  # not a folder of ours, whatever the file says


def test_two_commands_do_not_start_or_end_it_at_once() -> None:
    with state.exclusively(), pytest.raises(UserError, match="another command is starting"):
        local.down()


def test_status_and_env_without_a_cluster_are_one_line() -> None:
    with pytest.raises(UserError, match="no local cluster: start one"):
        local.status()
