"""Checkpoints of a trial: written whole or not at all, checked before they are used.

A checkpoint is a folder named after its iteration. It holds what the algorithm saved and
``checkpoint.json``, which says where in training it is, which trial it is of, and the size and
CRC-32 of every file. It is built under a temporary name and renamed when it is on the disk.
"""

from __future__ import annotations

import os
import shutil
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from expedition.platform.errors import UserError
from expedition.platform.plan import Trial
from expedition.platform.store import json_text, read_json, sync, sync_all

RECORD = "checkpoint.json"
KEEP = 2  # the newest, and the one before in case the newest turns out unreadable
_NEEDED = {"iteration", "env_steps", "seconds", "trial", "files"}  # of a record
_CHUNK = 1 << 20  # bytes read at a time when a file is summed


@dataclass(frozen=True)
class Checkpoint:
    """A saved state of a trial.

    Attributes:
        path: Its folder.
        iteration: Training iterations made.
        env_steps: Environment steps made.
        seconds: Wall-clock seconds of training behind it.
        trial: The trial it is of; of one with stages, the stage as a trial.
        stage: Number of the stage, from 0.
        stage_start: Environment steps made before the stage.
        rows: Rows of the trial before it; of a copy of another trial not one an iteration.
            ``None`` where an earlier release did not note it.
    """

    path: Path
    iteration: int
    env_steps: int
    seconds: float
    trial: Trial
    stage: int = 0
    stage_start: int = 0
    rows: int | None = None


def publish(
    folder: Path, trial: Trial, position: dict[str, Any], save: Callable[[str], Any]
) -> Path:
    """Write a checkpoint and remove all but the newest two.

    Args:
        folder: Folder of the trial's checkpoints.
        trial: The trial.
        position: ``{"iteration": int, "env_steps": int, "seconds": float, "stage": int,
            "stage_start": int, "rows": int}``.
        save: Called with the folder to write the algorithm's files into.

    Returns:
        The checkpoint's folder.
    """
    final = folder / f"{position['iteration']:06d}"
    temporary = folder / f".{final.name}.tmp"
    shutil.rmtree(temporary, ignore_errors=True)
    temporary.mkdir(parents=True)
    try:
        save(str(temporary))
        files = {name: list(_summary(temporary / name)) for name in _files(temporary)}
        record = {**position, "trial": trial.to_dict(), "files": files}
        (temporary / RECORD).write_text(json_text(record), encoding="utf-8")
        sync_all([temporary, *temporary.rglob("*")])
        _rename(temporary, final)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)
    for old in _folders(folder)[KEEP:]:
        shutil.rmtree(old, ignore_errors=True)
    return final


def remove_after(folder: Path, iteration: int) -> None:
    """Remove the checkpoints after an iteration."""
    for path in _folders(folder):
        if int(path.name) > iteration:
            shutil.rmtree(path)


def _rename(temporary: Path, final: Path) -> None:
    """Put a finished folder in its place; one already there is of the same iteration."""
    if final.exists():
        shutil.rmtree(final)
    os.replace(temporary, final)
    sync(final.parent)


def newest_first(folder: Path) -> Iterator[tuple[Path, Checkpoint | None]]:
    """Go through a trial's checkpoints, newest first.

    Args:
        folder: Folder of the trial's checkpoints.

    Yields:
        Folder, and the checkpoint or ``None`` where it is not readable.
    """
    for path in _folders(folder):
        try:
            yield path, read(path)
        except UserError:
            yield path, None


def read(path: Path) -> Checkpoint:
    """Read where a checkpoint stands and check that its files are whole.

    Args:
        path: The checkpoint's folder.

    Returns:
        The checkpoint.

    Raises:
        UserError: There is no such folder, it is not a checkpoint, or a file of it is damaged.
    """
    if not path.is_dir():
        raise UserError(f"no checkpoint at {path}")
    record = read_json(path / RECORD)
    if not record:
        raise UserError(f"{path} is not a checkpoint: it has no {RECORD}")
    if missing := _NEEDED - record.keys():
        raise UserError(f"{path} is damaged: its {RECORD} has no {', '.join(sorted(missing))}")
    for name, summary in record["files"].items():
        file = path / name
        if not file.is_file() or list(_summary(file)) != summary:
            raise UserError(f"checkpoint {path} is damaged: {name} is not what was written")
    return Checkpoint(
        path=path,
        iteration=record["iteration"],
        env_steps=record["env_steps"],
        seconds=record["seconds"],
        trial=Trial.from_dict(record["trial"]),
        stage=record.get("stage", 0),
        stage_start=record.get("stage_start", 0),
        rows=record.get("rows"),
    )


def find(path: Path, say: Callable[[str], None] = lambda line: None) -> Checkpoint:
    """Find the checkpoint that a user means: a checkpoint, or the newest one of a trial folder.

    Args:
        path: Folder of a checkpoint, of a trial's checkpoints, or of a trial.
        say: Told of newer checkpoints that are damaged.

    Returns:
        The checkpoint.

    Raises:
        UserError: There is none, or it is damaged.
    """
    for folder in (path / "checkpoints", path):
        damaged: list[Path] = []
        for place, found in newest_first(folder):
            if found is not None:
                for other in damaged:
                    say(f"checkpoint {other} is damaged: taking {found.path.name} instead")
                return found
            damaged.append(place)
        if damaged:
            return read(damaged[0])  # which says what is wrong with it
    return read(path)


def _folders(folder: Path) -> list[Path]:
    """List checkpoint folders, newest first; unfinished ones start with a dot and are left out."""
    if not folder.is_dir():
        return []
    found = [path for path in folder.iterdir() if path.is_dir() and path.name.isdigit()]
    return sorted(found, key=lambda path: int(path.name), reverse=True)


def _files(folder: Path) -> list[str]:
    return sorted(
        file.relative_to(folder).as_posix() for file in folder.rglob("*") if file.is_file()
    )


def _summary(file: Path) -> tuple[int, int]:
    """Size in bytes and CRC-32 of a file."""
    size, checksum = 0, 0
    with file.open("rb") as stream:
        while chunk := stream.read(_CHUNK):
            size += len(chunk)
            checksum = zlib.crc32(chunk, checksum)
    return size, checksum
