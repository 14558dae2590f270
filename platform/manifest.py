"""Where the numbers of a run come from: command, code, packages, machine and times."""

from __future__ import annotations

import os
import platform
import subprocess
import sys
from collections.abc import Sequence
from datetime import UTC, datetime
from importlib import metadata
from pathlib import Path
from typing import Any

import expedition.platform as package
from expedition.platform.store import RunFolder, read_json, write_json

PACKAGES = (
    "expedition", "ray", "torch", "gymnasium", "mujoco", "numpy", "pandas", "mlflow", "rliable",
)  # fmt: skip

RUNNING, FINISHED, INCOMPLETE, INTERRUPTED = "running", "finished", "incomplete", "interrupted"


def begin(folder: RunFolder, command: Sequence[str], preset: str) -> None:
    """Write the manifest of a launch that starts now; a resumed run keeps its earlier launches.

    Args:
        folder: The run.
        command: The command line.
        preset: Name of the preset.
    """
    earlier = read_json(folder.manifest)
    launches = [*earlier.get("launches", []), {"command": list(command), "start_time": _now()}]
    write_json(
        folder.manifest,
        {
            "name": folder.path.name,
            "command": list(command),
            "preset": preset,
            "status": RUNNING,
            "start_time": earlier.get("start_time", launches[0]["start_time"]),
            "end_time": None,
            "packages": package_versions(),
            "python": platform.python_version(),
            "git": git_state(),
            "machine": machine(),
            "launches": launches,
        },
    )


def end(folder: RunFolder, status: str) -> None:
    """Write how and when a launch ended.

    Args:
        folder: The run.
        status: ``FINISHED``, ``INCOMPLETE`` (trials failed) or ``INTERRUPTED``.
    """
    content = read_json(folder.manifest)
    content |= {"status": status, "end_time": _now()}
    content["launches"][-1] |= {"end_time": content["end_time"], "status": status}
    write_json(folder.manifest, content)


def note(folder: RunFolder, key: str, value: Any) -> None:
    """Add an entry to the manifest of a launch that has begun."""
    write_json(folder.manifest, read_json(folder.manifest) | {key: value})


def package_versions() -> dict[str, str | None]:
    """Versions of the packages that decide the numbers; ``None`` where one is not installed."""
    return {name: _version(name) for name in PACKAGES}


def _version(name: str) -> str | None:
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return None


def git_state(start: Path | None = None) -> dict[str, Any]:
    """Revision of the code and whether it has changes that are not committed.

    Args:
        start: Folder inside the checkout; by default the one this package lies in.

    Returns:
        ``{"revision": str | None, "dirty": bool | None}``; ``None`` outside a checkout.
    """
    folder = start or Path(next(iter(package.__path__)))
    revision = _git(folder, "rev-parse", "HEAD")
    changes = _git(folder, "status", "--porcelain", "--untracked-files=no")
    return {"revision": revision, "dirty": None if changes is None else bool(changes)}


def _git(folder: Path, *arguments: str) -> str | None:
    try:
        done = subprocess.run(
            ["git", "-C", str(folder), *arguments],
            capture_output=True, text=True, timeout=10, check=True,
        )  # fmt: skip
    except (OSError, subprocess.SubprocessError):
        return None
    return done.stdout.strip()


def machine() -> dict[str, Any]:
    """Processor, cores, memory and system of this machine."""
    pages, size = os.sysconf("SC_PHYS_PAGES"), os.sysconf("SC_PAGE_SIZE")
    return {
        "cpu": _cpu_model(),
        "cores": os.cpu_count(),
        "usable_cores": len(os.sched_getaffinity(0)) if sys.platform == "linux" else os.cpu_count(),
        "memory_gib": round(pages * size / 2**30, 1),
        "system": platform.platform(),
    }


def _cpu_model() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return platform.processor()
    models = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return models[0] if models else platform.processor()


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")
