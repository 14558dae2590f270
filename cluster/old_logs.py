"""Removes log files of processes that have ended, for as long as a cluster is up.

Ray opens about five log files for every process that works for a run, and keeps them until the
cluster ends. Of those that nobody writes to any more, each node keeps the newest. What the node's
own services log, and what a submitted job printed, stays.

Run as a program it goes to the background and ends when the folder is gone:

    python -m expedition.cluster.old_logs FOLDER COUNT
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from pathlib import Path

KEPT = 500  # of a node; a run of one trial leaves about fifteen
_EVERY_S = 30.0
_QUIET_S = 60.0  # so long after its last line Ray has passed a worker's output on
_OF_A_PROCESS = re.compile(
    r"(?:worker-\w+-\w+-|python-core-(?:worker|driver)-\w+_|event_(?:CORE_WORKER|EXPORT_TASK)_)"
    r"(?P<pid>\d+)\.(?:log|out|err)(?:\.\d+)?"
)
_OF_A_JOB = re.compile(r"(?:runtime_env_setup-\w+|supervisor-.+)\.log(?:\.\d+)?")
_OF_A_DRIVER = re.compile(r"python-core-driver-(?P<job>[0-9a-f]{8})f+_\d+\.log(?:\.\d+)?")


def start(folder: Path, count: int, environment: Mapping[str, str]) -> None:
    """Start the process that removes old log files; it outlives this one.

    Args:
        folder: See `remove`.
        count: See `remove`.
        environment: Its variables, by which it is found when the cluster ends.
    """
    subprocess.run(
        [sys.executable, "-m", __name__, str(folder), str(count)],
        env=environment,
        stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        start_new_session=True,
        check=True,
    )  # fmt: skip


def remove(folder: Path, count: int) -> int:
    """Remove the oldest log files of ended processes, once.

    Args:
        folder: Ray's temporary folder of a node, or one that holds those of several nodes.
        count: How many of a node stay.

    Returns:
        How many were removed.
    """
    removed = 0
    # With the second underscore it is not the link session_latest.
    for logs in (*folder.glob("session_*_*/logs"), *folder.glob("*/session_*_*/logs")):
        for file, _ in sorted(_ended(logs), key=lambda found: -found[1])[count:]:
            file.unlink(missing_ok=True)
            removed += 1
    return removed


def _ended(logs: Path) -> Iterator[tuple[Path, float]]:
    """Find the files of ended processes, and when each was last written to."""
    for file in logs.rglob("*"):
        found = _OF_A_PROCESS.fullmatch(file.name)
        if found is None and _OF_A_JOB.fullmatch(file.name) is None:
            continue
        # A process that has the id anew only keeps a file longer.
        if found and Path("/proc", found["pid"]).exists() and not _superseded(file, found["pid"]):
            continue
        try:
            written = file.stat().st_mtime
        except FileNotFoundError:  # Ray moves files of ended processes to another folder
            continue
        if time.time() - written > _QUIET_S:
            yield file, written


def _superseded(file: Path, pid: str) -> bool:
    """Whether it is a driver's, and the driver has connected anew since, as another job."""
    job = _job(file)
    return job is not None and any(
        (_job(other) or 0) > job for other in file.parent.glob(f"python-core-driver-*_{pid}.log")
    )


def _job(file: Path) -> int | None:
    """Give the number of the job that a driver's file is of."""
    found = _OF_A_DRIVER.fullmatch(file.name)
    return int.from_bytes(bytes.fromhex(found["job"]), "little") if found else None


def main() -> None:
    """Go to the background and remove files until the folder is gone."""
    folder, count = Path(sys.argv[1]), int(sys.argv[2])
    if os.fork():
        return
    while folder.exists():
        remove(folder, count)
        time.sleep(_EVERY_S)


if __name__ == "__main__":
    main()
