"""A run whose results lie in an object store: brought here to be read or resumed, sent as it grows.

The launch sends what it writes: plans, manifest, report. Each trial sends its own (see
`expedition.platform.trial_staging`), from whichever node it runs on; the launch brings their rows
here, never their checkpoints. Every function here does nothing for results in a folder.
"""

from __future__ import annotations

import contextlib
import functools
import shutil
import threading
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from expedition.platform.bucket import Bucket, BucketError, Stored, bucket_of
from expedition.platform.ownership import OWNER, locked
from expedition.platform.places import address, is_uri, located_run
from expedition.platform.store import RunFolder, TrialFolder, read_json
from expedition.platform.trial_staging import ROWS, STATUS, TRIAL, StagedTrial, is_newest

_SPEC, _CURSOR = "spec.yaml", "mlflow.json"
_TRIALS = "trials/"


class StagedRun:
    """The copy of a run in an object store.

    Args:
        folder: The run here.
        bucket: The results.
        key: The run there.
    """

    def __init__(self, folder: RunFolder, bucket: Bucket, key: str) -> None:
        self._folder = folder
        self._bucket = bucket
        self._key = key
        self._sent: dict[str, int] = {}  # file -> its time, in nanoseconds, when it was sent
        self._refreshed_at = 0.0
        self._lock = threading.Lock()

    def claim(self) -> None:
        """Be the owner of the run in the store: call it when the folder here is owned."""
        self._bucket.upload([(self._folder.path / OWNER, f"{self._key}/{OWNER}")])

    def send(self) -> None:
        """Send the run's own files that have changed."""
        root = self._folder.path
        names = [path.relative_to(root).as_posix() for path in root.rglob("*") if path.is_file()]
        times = {name: (root / name).stat().st_mtime_ns for name in names if self._is_own(name)}
        changed = [name for name, at in times.items() if self._sent.get(name) != at]
        self._bucket.upload((root / name, f"{self._key}/{name}") for name in changed)
        self._sent |= {name: times[name] for name in changed}

    def _is_own(self, name: str) -> bool:
        """Whether a file belongs to the run, not to a trial, Tune or a store of this machine."""
        if name.startswith((_TRIALS, ".")) or Path(name).name.startswith("."):
            return False
        if name != _CURSOR:
            return True
        return not str(read_json(self._folder.path / name).get("uri", "sqlite:")).startswith("sql")

    def remove_scratch(self) -> None:
        """Remove what Tune has left in the store; see `tune_storage`."""
        self._bucket.remove_folder(f"{self._key}/{self._folder.scratch.name}")

    def remove(self) -> None:
        """Remove all of the run in the store."""
        self._bucket.remove_folder(self._key)
        self._sent = {}

    def send_plans(self) -> None:
        """Send what the launch has written of trials that never ran, and the store lacks."""
        there = self._bucket.listing(f"{self._key}/trials")
        files = [
            (self._folder.trial(trial_id).path / name, f"{trial_id}/{name}")
            for trial_id in self._folder.trial_ids()
            for name in (*ROWS, STATUS)
        ]
        missing = [(file, name) for file, name in files if name not in there and file.is_file()]
        missing.sort(key=lambda pair: pair[0].name == STATUS)  # what is done is there before
        self._bucket.upload((file, f"{self._key}/trials/{name}") for file, name in missing)

    def refresh(self, every: float = 0.0) -> None:
        """Make the folder here like the store's, without checkpoints; what runs here is left.

        Args:
            every: Seconds that must have passed since the last time.
        """
        with self._lock:
            if time.monotonic() - self._refreshed_at < every:
                return
            there = self._bucket.listing(self._key)
            if not there:
                self._forget()
                return
            self._folder.path.mkdir(parents=True, exist_ok=True)
            own = {name: stored for name, stored in there.items() if self._is_own(name)}
            with locked(self._folder.path) as is_free:
                if is_free and is_newest(self._bucket, self._key, self._folder.path):
                    self.send()
                elif is_free:
                    self._forget_all_but(there)
                    self._bucket.download(
                        (f"{self._key}/{n}", self._folder.path / n, s) for n, s in own.items()
                    )
            for trial_id, objects in _by_trial(there).items():
                self._refresh_trial(self._folder.trial(trial_id), objects)
            self._refreshed_at = time.monotonic()

    def _refresh_trial(self, folder: TrialFolder, there: dict[str, Stored]) -> None:
        folder.path.mkdir(parents=True, exist_ok=True)
        with locked(folder.path) as is_free:
            staged = StagedTrial.of(folder)
            if not is_free or staged is None:
                return
            if (folder.path / OWNER).exists() and staged.is_newest:
                staged.send()  # a process here died, or could not send it
            else:
                staged.fetch(there)

    def _forget(self) -> None:
        """Remove the copy here of a run that is not in the store.

        Unless it is being written, or a trial of it has not been sent: the store may be another.
        """
        trials = [self._folder.trial(trial_id).path for trial_id in self._folder.trial_ids()]
        if not self._folder.path.is_dir() or any((path / OWNER).exists() for path in trials):
            return
        with locked(self._folder.path) as is_free:
            if is_free:
                shutil.rmtree(self._folder.path)

    def _forget_all_but(self, there: Mapping[str, Stored]) -> None:
        """Remove what the store does not have, of the run itself and of trials that rest."""
        root = self._folder.path
        for file in [path for path in root.rglob("*") if path.is_file()]:
            name = file.relative_to(root).as_posix()
            if self._is_own(name) and name not in there:
                file.unlink()
        for trial_id in set(self._folder.trial_ids()).difference(_by_trial(there)):
            with locked(self._folder.trial(trial_id).path) as is_free:
                if is_free:
                    shutil.rmtree(self._folder.trial(trial_id).path)


def _by_trial(there: Mapping[str, Stored]) -> dict[str, dict[str, Stored]]:
    """Sort the small files of trials by trial: id -> name -> object."""
    found: dict[str, dict[str, Stored]] = {}
    for name, stored in sorted(there.items()):
        head, _, tail = name.rpartition("/")
        if head.startswith(_TRIALS) and tail in (*ROWS, STATUS):
            found.setdefault(head.removeprefix(_TRIALS), {})[tail] = stored
    return {trial_id: names for trial_id, names in found.items() if TRIAL in names}


@functools.lru_cache
def _staged_run(path: Path) -> StagedRun | None:
    place = bucket_of(path)
    return None if place is None else StagedRun(RunFolder(path), *place)


def staged_run(folder: RunFolder) -> StagedRun | None:
    """Find the copy of a run, always the same object; ``None`` if its folder stands for itself."""
    return _staged_run(folder.path)


def require_usable(results: Path) -> None:
    """Make sure that an object store can be written.

    Raises:
        BucketError: It cannot be reached, has no such bucket, or refuses.
    """
    place = bucket_of(results)
    if place is not None:
        place[0].require_usable()


def refresh(folder: RunFolder, every: float = 0.0) -> None:
    """Bring a run here as it is in the store now; see `StagedRun.refresh`."""
    staged = staged_run(folder)
    if staged is not None:
        staged.refresh(every)


def refresh_index(results: Path) -> None:
    """Bring the experiments of all runs here, and nothing else of them."""
    place = bucket_of(results)
    if place is None:
        return
    bucket = place[0]
    names = set(bucket.folders())
    specs = {name: stored for name in names if (stored := bucket.find(f"{name}/{_SPEC}"))}
    bucket.download((f"{n}/{_SPEC}", results / n / _SPEC, s) for n, s in specs.items())
    for spec in results.glob(f"*/{_SPEC}"):
        if spec.parent.name not in specs:
            refresh(RunFolder(spec.parent))  # which removes it, unless it is being written


def fetched_checkpoint(place: Path) -> Path:
    """Bring a checkpoint here.

    Args:
        place: Of a checkpoint or a trial, as typed; a folder is given back as it is.

    Returns:
        The folder to look for the checkpoint in.
    """
    if not is_uri(place):
        return place
    path = located_run(place)
    name = path.name if path.parent.name == "checkpoints" else None
    trial = path.parent.parent if name else path.parent if path.name == "checkpoints" else path
    staged = StagedTrial.of(TrialFolder(trial))
    return path if staged is None else staged.fetch_checkpoint(name)


def begin(folder: RunFolder) -> None:
    """Take a run over in the store and send what it is; call it when the folder here is owned.

    Raises:
        BucketError: The store does not answer.
    """
    staged = staged_run(folder)
    if staged is not None:
        staged.claim()
        staged.send()


def send_plans(folder: RunFolder) -> None:
    """Send the plans of trials: nodes read them from the store.

    Raises:
        BucketError: The store does not answer.
    """
    staged = staged_run(folder)
    if staged is not None:
        staged.send_plans()


def tune_storage(folder: RunFolder) -> dict[str, Any]:
    """Give Tune's storage where it is not a folder: trials copy each other through it."""
    place = bucket_of(folder.scratch)
    if place is None:
        return {}
    path, files = place[0].storage(place[1])
    return {"storage_path": path, "storage_filesystem": files}


def discard(folder: RunFolder) -> None:
    """Remove a run in which nothing has begun, here and in the store."""
    staged = staged_run(folder)
    with contextlib.suppress(BucketError):
        if staged is not None:
            staged.remove()
    shutil.rmtree(folder.path, ignore_errors=True)


def end(folder: RunFolder) -> str | None:
    """Send what is left to send.

    Returns:
        What to tell the user if that failed.
    """
    staged = staged_run(folder)
    if staged is None:
        return None
    try:
        staged.send()
        staged.remove_scratch()
    except BucketError as error:
        place = address(folder.path)
        return f"{error}; what is missing there is in {folder.path}: expedition report {place}"
    return None
