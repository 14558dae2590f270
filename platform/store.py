"""Files of a run: where they lie and how they are written so that a crash never spoils one.

    <run>/spec.yaml, manifest.json, mlflow.json, results.parquet, report/
    <run>/trials/<task>/<variant>/[<point>/]seed_<k>/
        trial.json, status.json, progress.jsonl, coverage.npz, checkpoints/<iteration>/

Every file is written under a temporary name and renamed, so that a reader sees the old or the new
content and nothing between; ``progress.jsonl`` alone is appended to, one line at a time.
"""

from __future__ import annotations

import json
import math
import os
import shutil
from collections.abc import Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from expedition.platform.errors import UserError
from expedition.platform.places import located

DEFAULT_RESULTS = "results"
RESULTS_VARIABLE = "EXPEDITION_RESULTS"

PENDING, RUNNING, DONE, FAILED = "pending", "running", "done", "failed"
_AT_ONCE = 4  # files flushed at a time: more wait for a processor instead


def results_folder(chosen: str | Path | None = None) -> Path:
    """Choose the results folder: the argument, ``EXPEDITION_RESULTS``, or ``./results``.

    For the URI of an object store it is the folder that stands for it (see `places.located`).
    """
    return located(chosen or os.environ.get(RESULTS_VARIABLE) or DEFAULT_RESULTS)


def explain(error: OSError, path: Path) -> UserError:
    """Turn a file-system failure into one line naming the folder and the remedy.

    Args:
        error: What the system reported.
        path: File or folder that was being written.

    Returns:
        The error to raise.
    """
    reason = error.strerror or str(error)
    return UserError(f"cannot write {path}: {reason}; free it or choose another with --results")


def require_writable(folder: Path) -> None:
    """Create a folder and prove that files can be written into it.

    Raises:
        UserError: The folder cannot be created or written.
    """
    probe = folder / f".write-test-{os.getpid()}"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        probe.write_bytes(b"x")
        probe.unlink()
    except OSError as error:
        raise explain(error, folder) from error


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """Give a temporary path whose file takes the place of ``path`` once it is complete.

    Args:
        path: Final place of the file; its folder is created.

    Yields:
        The path to write to. After the block the file is flushed to disk and renamed; after an
        exception it is removed and ``path`` is untouched.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        yield temporary
        sync(temporary)
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)


def sync(path: Path) -> None:
    """Flush a file's or folder's content to the disk."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def sync_all(paths: Iterable[Path]) -> None:
    """Flush files and folders together: the file system writes what several ask for at once."""
    with ThreadPoolExecutor(_AT_ONCE) as pool:
        list(pool.map(sync, paths))


def plain(value: Any) -> Any:
    """Reduce a value to what JSON holds: NumPy scalars, arrays, tuples and paths become plain.

    NaN and infinities become ``None``: strict readers of JSON refuse them.
    """
    if isinstance(value, Mapping):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple | set):
        return [plain(item) for item in value]
    if isinstance(value, np.generic | np.ndarray):
        return plain(value.tolist())
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if value is None or isinstance(value, str | int | bool):
        return value
    return str(value)


def write_json(path: Path, content: Mapping[str, Any]) -> None:
    """Write a JSON object in one step (see `replacing`)."""
    with replacing(path) as temporary:
        temporary.write_text(json_text(content), encoding="utf-8")


def json_text(content: Mapping[str, Any]) -> str:
    """Give a JSON object as our files hold it."""
    return json.dumps(plain(content), indent=2) + "\n"


def read_json(path: Path) -> dict[str, Any]:
    """Read a JSON object; an absent file is an empty one.

    Raises:
        UserError: The file is there and is not a JSON object.
    """
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return {}
    except (OSError, ValueError) as error:
        raise UserError(f"cannot read {path}: {error}") from error
    if not isinstance(content, dict):
        raise UserError(f"cannot read {path}: not a JSON object")
    return content


@dataclass(frozen=True)
class TrialFolder:
    """Files of one trial except its checkpoints (see `expedition.platform.checkpoints`).

    Attributes:
        path: The trial's folder.
    """

    path: Path

    @property
    def progress(self) -> Path:
        """File of curated rows, one JSON object a line and an iteration."""
        return self.path / "progress.jsonl"

    @property
    def checkpoints(self) -> Path:
        """Folder of checkpoints."""
        return self.path / "checkpoints"

    @property
    def coverage(self) -> Path:
        """File of coverage arrays."""
        return self.path / "coverage.npz"

    def read_trial(self) -> dict[str, Any]:
        """Read what the trial is; empty when it was never planned."""
        return read_json(self.path / "trial.json")

    def write_trial(self, trial: Mapping[str, Any]) -> None:
        """Write what the trial is."""
        write_json(self.path / "trial.json", trial)

    def status(self) -> dict[str, Any]:
        """Read ``{state, env_steps, ...}``; a trial never started is pending."""
        return {"state": PENDING, "env_steps": 0, **read_json(self.path / "status.json")}

    def set_status(self, state: str, env_steps: int, **more: Any) -> None:
        """Write the state of the trial.

        Args:
            state: One of ``PENDING``, ``RUNNING``, ``DONE``, ``FAILED``.
            env_steps: Environment steps made so far.
            **more: Further entries, such as ``error``.
        """
        write_json(self.path / "status.json", {"state": state, "env_steps": env_steps, **more})

    def append_row(self, row: Mapping[str, Any]) -> None:
        """Add one row to the progress file."""
        line = json.dumps(plain(row)) + "\n"
        with self.progress.open("a", encoding="utf-8") as file:
            file.write(line)

    def sync_rows(self) -> None:
        """Flush the rows to the disk: before a checkpoint is, which goes on after them."""
        if self.progress.exists():
            sync_all([self.progress, self.path])

    def rows(self) -> list[dict[str, Any]]:
        """Read the progress rows; a line cut short by a crash ends the reading."""
        try:
            lines = self.progress.read_text(encoding="utf-8").splitlines()
        except FileNotFoundError:
            return []
        return parse_rows(lines)

    def cut_back(self, iteration: int) -> list[dict[str, Any]]:
        """Forget the rows after an iteration: they will be made again from its checkpoint.

        Args:
            iteration: Last iteration to keep; 0 keeps nothing.

        Returns:
            The rows kept.
        """
        before = self.rows()
        kept = [row for row in before if row["iteration"] <= iteration]
        if self.progress.exists():
            with replacing(self.progress) as temporary:
                temporary.write_text("".join(json.dumps(row) + "\n" for row in kept), "utf-8")
        return kept

    def write_coverage(self, arrays: Mapping[str, np.ndarray]) -> None:
        """Write the arrays that figures need; ``/`` in a name becomes ``__`` in the file."""
        if not arrays:
            return
        with replacing(self.coverage) as temporary, temporary.open("wb") as file:
            named: dict[str, Any] = {k.replace("/", "__"): v for k, v in arrays.items()}
            np.savez_compressed(file, **named)


def parse_rows(lines: list[str]) -> list[dict[str, Any]]:
    """Parse progress lines up to the first that is not a whole JSON object."""
    rows = []
    for line in lines:
        try:
            rows.append(json.loads(line))
        except ValueError:
            break
    return rows


@dataclass(frozen=True)
class RunFolder:
    """Files of one launch.

    Attributes:
        path: The run's folder, ``<results>/<run name>``.
    """

    path: Path

    @property
    def spec(self) -> Path:
        """The resolved experiment."""
        return self.path / "spec.yaml"

    @property
    def manifest(self) -> Path:
        """Command, versions, machine and times."""
        return self.path / "manifest.json"

    @property
    def scratch(self) -> Path:
        """Tune's own files; removed when the launch ends."""
        return self.path / ".tune"

    @property
    def stop(self) -> Path:
        """File whose presence asks a launch to stop in order."""
        return self.path / ".stop"

    def trial(self, trial_id: str) -> TrialFolder:
        """Files of one trial, named by its id such as ``halls-3/smm/seed_0``."""
        return TrialFolder(self.path / "trials" / trial_id)

    def trial_ids(self) -> list[str]:
        """Ids of all trials planned in this folder, sorted."""
        root = self.path / "trials"
        return sorted(file.parent.relative_to(root).as_posix() for file in root.rglob("trial.json"))

    def exists(self) -> bool:
        """Whether anything was written here."""
        return self.path.is_dir() and any(self.path.iterdir())

    def remove_scratch(self) -> None:
        """Remove Tune's own files."""
        shutil.rmtree(self.scratch, ignore_errors=True)
