"""The processes of a local cluster: found by what they inherited, whatever became of the rest.

A node's processes share the session of the ``ray start`` that made them, or carry the cluster's
key in their environment, or both: Ray's workers overwrite their environment with their title, and
a job's driver starts a session of its own.
"""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Iterable
from pathlib import Path

from expedition.cluster.state import Cluster, boot_id

MARKER = "EXPEDITION_CLUSTER"
_PROC = Path("/proc")
_GRACE_S = 3.0  # to end in order, before they are killed
_POLL_S = 0.1


def members(cluster: Cluster) -> list[int]:
    """List the living processes of a cluster."""
    if cluster.boot != boot_id():
        return []
    marker = f"{MARKER}={cluster.key}".encode()
    mine = os.getpid()
    return [
        pid
        for pid in _own_processes()
        if pid != mine and (_in_session(pid, cluster.sessions) or marker in _read(pid, "environ"))
    ]


def node_members(cluster: Cluster, name: str) -> list[int]:
    """List the living processes of one node, a job's driver on it aside."""
    sessions = {node.session for node in cluster.nodes if node.name == name and node.session}
    if cluster.boot != boot_id():
        return []
    return [pid for pid in _own_processes() if _in_session(pid, sessions)]


def end(find: Iterable[int]) -> list[int]:
    """End processes: first asked, then killed.

    Args:
        find: Process ids.

    Returns:
        Those that would not go, which only an unresponsive system has.
    """
    pids = list(find)
    _send(pids, signal.SIGTERM)
    left = _wait(pids)
    _send(left, signal.SIGKILL)
    return _wait(left)


def _send(pids: Iterable[int], number: signal.Signals) -> None:
    for pid in pids:
        try:
            os.kill(pid, number)
        except ProcessLookupError:
            continue


def _wait(pids: Iterable[int]) -> list[int]:
    """Wait until processes are gone; return those that are not."""
    deadline = time.monotonic() + _GRACE_S
    left = [pid for pid in pids if _alive(pid)]
    while left and time.monotonic() < deadline:
        time.sleep(_POLL_S)
        left = [pid for pid in left if _alive(pid)]
    return left


def _alive(pid: int) -> bool:
    """Whether a process runs; one that waits for its parent to notice its end does not."""
    fields = _read(pid, "stat").rpartition(b")")[2].split()
    return bool(fields) and fields[0] != b"Z"


def _own_processes() -> list[int]:
    """List the processes of this user."""
    found = []
    for entry in _PROC.iterdir():
        try:
            if entry.name.isdigit() and entry.stat().st_uid == os.getuid():
                found.append(int(entry.name))
        except FileNotFoundError:
            continue
    return found


def _in_session(pid: int, sessions: Iterable[int]) -> bool:
    """Whether a process of Ray is in one of the sessions: an id may have been given out anew."""
    try:
        return os.getsid(pid) in sessions and b"ray" in _read(pid, "cmdline")
    except ProcessLookupError:
        return False


def _read(pid: int, name: str) -> bytes:
    try:
        return (_PROC / str(pid) / name).read_bytes()
    except OSError:  # it ended, or is another user's
        return b""
