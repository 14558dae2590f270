"""One writer a folder, also when an earlier one was cut off and has not noticed yet.

After ``kill -9`` of a driver its Ray workers may live on for a moment and would write into the
trial folders that a resumed launch has taken over. A writer therefore leaves a token in the folder
and stops as soon as it finds another's; and it holds a file lock, which the system releases with
the process, so that the next writer starts only when the earlier one has let go.
"""

from __future__ import annotations

import errno
import fcntl
import os
import socket
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from expedition.platform.errors import UserError
from expedition.platform.store import read_json, write_json

_UNSUPPORTED = {errno.ENOLCK, errno.ENOTSUP, errno.ENOSYS}  # file systems without locks
OWNER, _LOCK = ".owner.json", ".lock"
_POLL = 0.1  # seconds between attempts to lock


class OwnershipLostError(RuntimeError):
    """Another process took the folder over."""


class Ownership:
    """The right to write into a folder, held until `release`.

    Args:
        folder: The folder; it must exist.
        lock: The open lock file; see `take` and `take_over`.
    """

    def __init__(self, folder: Path, lock: IO[str]) -> None:
        self._folder = folder
        self._lock = lock
        self._token = uuid.uuid4().hex
        owner: dict[str, str | int | None]
        owner = {"token": self._token, "pid": os.getpid(), "host": socket.gethostname()}
        # A copy elsewhere may still name the owner before (see staging.py).
        owner["after"] = read_json(folder / OWNER).get("token")
        write_json(folder / OWNER, owner)

    @classmethod
    def take(cls, folder: Path) -> Ownership:
        """Own a folder that nobody owns.

        Raises:
            UserError: A living process owns it.
        """
        lock = (folder / _LOCK).open("a")
        if not _try_lock(lock):
            lock.close()
            owner = read_json(folder / OWNER)
            raise UserError(
                f"{folder} is being written by process {owner.get('pid')} on {owner.get('host')}"
            )
        return cls(folder, lock)

    @classmethod
    def take_over(cls, folder: Path, patience: float) -> Ownership:
        """Own a folder, asking an earlier owner to let go.

        Args:
            folder: The folder.
            patience: Seconds to wait for it. After that the folder is ours all the same: the
                earlier owner finds our token before it writes again.
        """
        lock = (folder / _LOCK).open("a")
        ownership = cls(folder, lock)
        deadline = time.monotonic() + patience
        while not _try_lock(lock) and time.monotonic() < deadline:
            time.sleep(_POLL)
        return ownership

    def check(self) -> None:
        """Make sure that the folder is still ours; call it before every write.

        Raises:
            OwnershipLostError: Another process took the folder over.
        """
        if read_json(self._folder / OWNER).get("token") != self._token:
            raise OwnershipLostError(f"{self._folder} was taken over by another process")

    def release(self) -> None:
        """Let go of the folder; harmless when called twice."""
        self._lock.close()


@contextmanager
def locked(folder: Path) -> Iterator[bool]:
    """Keep a folder from being owned for as long as the block runs, unless somebody owns it.

    Yields:
        Whether nobody does.
    """
    with (folder / _LOCK).open("a") as lock:
        yield _try_lock(lock)


def _try_lock(lock: IO[str]) -> bool:
    """Lock a file unless another process holds it."""
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        return error.errno in _UNSUPPORTED  # then the token alone must do
    return True
