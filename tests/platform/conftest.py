"""Fixtures for tests of the platform: a quick method, a small experiment, a small Ray."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

PLUGIN = str(Path(__file__).parent / "plugin")

# Before any test starts Ray: its workers inherit the path, and so find the method "fake".
sys.path.insert(0, PLUGIN)
os.environ["PYTHONPATH"] = os.pathsep.join(
    part for part in (PLUGIN, os.environ.get("PYTHONPATH")) if part
)


@pytest.fixture(scope="module")
def ray_of_two() -> Iterator[None]:
    """Ray with two CPUs for one module."""
    import ray

    from expedition.platform.session import quiet

    quiet(False)
    ray.init(num_cpus=2, include_dashboard=False, log_to_driver=False, logging_level="ERROR")
    yield
    ray.shutdown()


@pytest.fixture
def deaths(tmp_path: Path) -> Path:
    """Folder in which processes of the fake method note that they died."""
    folder = tmp_path / "deaths"
    folder.mkdir()
    return folder


@pytest.fixture
def watch_disk(monkeypatch: pytest.MonkeyPatch) -> Callable[[], list[str]]:
    """Call it to have listed, in order, what is flushed, renamed and removed from then on."""

    def watch() -> list[str]:
        done: list[str] = []
        fsync, replace, rmtree = os.fsync, os.replace, shutil.rmtree

        def flushing(descriptor: int) -> None:
            fsync(descriptor)
            done.append(Path(f"/proc/self/fd/{descriptor}").resolve().name)

        def renaming(source: Path, target: Path) -> None:
            done.append(f"rename to {target.name}")
            replace(source, target)

        def removing(folder: Path, **options: bool) -> None:
            if folder.exists():
                done.append(f"remove {folder.name}")
            rmtree(folder, **options)

        monkeypatch.setattr(os, "fsync", flushing)
        monkeypatch.setattr(os, "replace", renaming)
        monkeypatch.setattr(shutil, "rmtree", removing)
        return done

    return watch
