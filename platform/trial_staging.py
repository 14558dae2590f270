"""A trial whose results lie in an object store: brought here when it starts, sent at checkpoints.

The store holds the trial's folder, file for file. Whoever takes the trial over writes its token
there (``.owner.json``, see `expedition.platform.ownership`). If the store's token is the one of the
folder here, the folder has all that the store has, and perhaps more; if not, the trial has been
elsewhere since, and the folder here is replaced.

What is sent is in this order: rows, the files of a checkpoint, its record, the status. A checkpoint
without a record is none, and rows after a checkpoint are forgotten when it is restored: cut off
anywhere, the trial goes on from the checkpoint before.
"""

from __future__ import annotations

import contextlib
import json
import shutil
import time
from collections.abc import Mapping
from pathlib import Path

from expedition.platform.bucket import Bucket, BucketError, Stored, bucket_of
from expedition.platform.checkpoints import RECORD
from expedition.platform.ownership import OWNER, Ownership, OwnershipLostError
from expedition.platform.places import address
from expedition.platform.store import DONE, TrialFolder, read_json

TRIAL, STATUS = "trial.json", "status.json"
ROWS = (TRIAL, "coverage.npz", "progress.jsonl")
_CHECKPOINTS = "checkpoints"
_RETRY_S = 60.0  # after the store did not answer: training is not to wait for it each time


class StagedTrial:
    """The copy of a trial in an object store.

    Args:
        folder: The trial here.
        bucket: The results.
        key: The trial there.
    """

    def __init__(self, folder: TrialFolder, bucket: Bucket, key: str) -> None:
        self._folder = folder
        self._bucket = bucket
        self._key = key
        self._ownership: Ownership | None = None
        self._again_at = 0.0
        self._is_behind = False

    @classmethod
    def of(cls, folder: TrialFolder) -> StagedTrial | None:
        """Find the copy of a trial; ``None`` if its folder stands for itself."""
        place = bucket_of(folder.path)
        return None if place is None else cls(folder, *place)

    @property
    def is_newest(self) -> bool:
        """Whether the folder here has all that the store has."""
        return is_newest(self._bucket, self._key, self._folder.path)

    def take_over(self, ownership: Ownership) -> None:
        """Bring here what the store has, unless it comes from here, and be its owner there too.

        Args:
            ownership: Of the folder here.
        """
        if not self.is_newest:
            self._replace(self._bucket.listing(self._key))
        self._bucket.upload([(self._folder.path / OWNER, f"{self._key}/{OWNER}")])
        self._ownership = ownership

    def _replace(self, there: Mapping[str, Stored]) -> None:
        shutil.rmtree(self._folder.checkpoints, ignore_errors=True)
        for name in (*ROWS, STATUS):
            if name not in there:
                (self._folder.path / name).unlink(missing_ok=True)
        self.fetch({name: there[name] for name in (*ROWS, STATUS) if name in there})
        if self._folder.status()["state"] != DONE:
            whole = tuple(f"{_CHECKPOINTS}/{name}/" for name in _whole(there))
            self.fetch({n: s for n, s in there.items() if n.startswith(whole)})

    def fetch(self, there: Mapping[str, Stored], into: str = "") -> None:
        """Bring files here.

        Args:
            there: Name in the trial -> object.
            into: Folder in the trial here.
        """
        root = self._folder.path / into
        self._bucket.download((f"{self._key}/{n}", root / n, s) for n, s in there.items())

    def fetch_one(self, name: str) -> None:
        """Bring one small file here, if it is there."""
        stored = self._bucket.find(f"{self._key}/{name}")
        if stored is not None:
            self.fetch({name: stored})

    def send(self) -> None:
        """Make the store's copy like the folder here.

        Raises:
            OwnershipLostError: The trial has been taken over elsewhere.
            BucketError: The store does not answer; what is there is in order.
        """
        if not self.is_newest:
            raise OwnershipLostError(f"{self._bucket.uri}/{self._key} was taken over elsewhere")
        there = self._bucket.listing(self._key)
        self.put(*ROWS)
        here = {folder.name: folder for folder in self._checkpoints_here()}
        gone = _folders(there) - set(here)
        for name in (name for name in gone if here and name > max(here)):
            self._remove_checkpoint(name, there)  # of a trial that became a copy of another
        for folder in here.values():
            self._send_checkpoint(folder, there)
        self.put(STATUS)
        for name in gone:
            self._remove_checkpoint(name, there)

    def put(self, *names: str) -> None:
        """Send files, one after the other; those that are not here are left out."""
        for name in names:
            if (file := self._folder.path / name).is_file():
                self._bucket.upload([(file, f"{self._key}/{name}")])

    def _checkpoints_here(self) -> list[Path]:
        if not self._folder.checkpoints.is_dir():
            return []
        return sorted(path for path in self._folder.checkpoints.iterdir() if path.name.isdigit())

    def _send_checkpoint(self, folder: Path, there: Mapping[str, Stored]) -> None:
        base = f"{self._key}/{_CHECKPOINTS}/{folder.name}"
        record = folder / RECORD
        if not record.is_file():
            return
        if f"{_CHECKPOINTS}/{folder.name}/{RECORD}" in there:
            if self._bucket.read(f"{base}/{RECORD}") == record.read_bytes():
                return
            self._bucket.remove([f"{base}/{RECORD}"])  # made again: not whole until the end
        files = [path for path in folder.rglob("*") if path.is_file() and path != record]
        self._bucket.upload((p, f"{base}/{p.relative_to(folder).as_posix()}") for p in files)
        self._bucket.upload([(record, f"{base}/{RECORD}")])

    def _remove_checkpoint(self, name: str, there: Mapping[str, Stored]) -> None:
        base = f"{_CHECKPOINTS}/{name}/"
        self._bucket.remove([f"{self._key}/{base}{RECORD}"])
        self._bucket.remove(f"{self._key}/{n}" for n in there if n.startswith(base))

    def try_send(self, *, last: bool = False) -> str | None:
        """Send, or leave it for later.

        Args:
            last: Try also if it has just failed: there is no later.

        Returns:
            What to tell the user: the first time that it fails.

        Raises:
            OwnershipLostError: The trial has been taken over elsewhere.
        """
        if not last and time.monotonic() < self._again_at:
            return None
        was_behind, self._is_behind = self._is_behind, True
        try:
            self.send()
        except BucketError as error:
            self._again_at = time.monotonic() + _RETRY_S
            later = f"nothing is lost: it is in {self._folder.path} and will be sent later"
            return None if was_behind else f"{error}; {later}"
        self._is_behind = False
        self._again_at = 0.0
        return None

    def leave(self) -> None:
        """Send what has not been sent; if all has, keep no checkpoints here."""
        if self._ownership is None:
            return
        try:
            self._ownership.check()
            if self._is_behind:
                self.try_send(last=True)
        except OwnershipLostError:
            return  # what is here is the new owner's
        if not self._is_behind:
            # Without its token the folder is no more than a copy.
            (self._folder.path / OWNER).unlink(missing_ok=True)
            shutil.rmtree(self._folder.checkpoints, ignore_errors=True)

    def fetch_status(self) -> None:
        """Bring the status here, which the launch may have changed; if it cannot be, leave it."""
        with contextlib.suppress(BucketError):
            self.fetch_one(STATUS)

    def newest_checkpoint(self) -> str | None:
        """Address of the newest whole checkpoint in the store."""
        name = max(_whole(self._bucket.listing(self._key)), default=None)
        return name and address(self._folder.checkpoints / name)

    def fetch_checkpoint(self, name: str | None) -> Path:
        """Bring a checkpoint here, beside those of the trial.

        Args:
            name: Its number; the newest if not given.

        Returns:
            Its folder, or where it would be.
        """
        there = self._bucket.listing(self._key)
        name = name or max(_whole(there), default="none")
        base = f"{_CHECKPOINTS}/{name}/"
        shutil.rmtree(self._folder.path / ".fetched", ignore_errors=True)
        self.fetch({n: s for n, s in there.items() if n.startswith(base)}, into=".fetched")
        return self._folder.path / ".fetched" / _CHECKPOINTS / name


def is_newest(bucket: Bucket, key: str, folder: Path) -> bool:
    """Whether a folder has all that the store has of it: the last to own it did so here.

    Args:
        bucket: The results.
        key: The folder there.
        folder: The folder here.
    """
    here = read_json(folder / OWNER)
    if not here:
        return False
    there = json.loads(bucket.read(f"{key}/{OWNER}") or b"{}").get("token")
    return there is not None and there in (here["token"], here.get("after"))


def _folders(there: Mapping[str, Stored]) -> set[str]:
    """Names of checkpoints, whole or not."""
    parts = (name.split("/") for name in there)
    return {part[1] for part in parts if part[0] == _CHECKPOINTS and len(part) > 2}


def _whole(there: Mapping[str, Stored]) -> set[str]:
    """Names of checkpoints that were sent to the end."""
    return {name for name in _folders(there) if f"{_CHECKPOINTS}/{name}/{RECORD}" in there}


def send_status(folder: TrialFolder) -> None:
    """Send the status of a trial that no process runs; a store that does not answer is let be."""
    with contextlib.suppress(BucketError):
        staged = StagedTrial.of(folder)
        if staged is not None:
            staged.put(STATUS)


def newest_sent(folder: TrialFolder) -> str | None:
    """Address of a trial's newest checkpoint in the store, if there is a store that answers."""
    with contextlib.suppress(BucketError):
        staged = StagedTrial.of(folder)
        return None if staged is None else staged.newest_checkpoint()
    return None
