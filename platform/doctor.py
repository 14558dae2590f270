"""Whether this machine can run experiments, and what to do where it cannot."""

from __future__ import annotations

import os
import shutil
import sqlite3
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Callable
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path

from packaging.requirements import Requirement

from expedition.platform import staging
from expedition.platform.errors import UserError
from expedition.platform.places import address
from expedition.platform.session import usable_cores
from expedition.platform.store import RunFolder, require_writable
from expedition.platform.tracking import tracking_uri

PACKAGES = ("torch", "ray", "gymnasium", "mujoco", "numpy", "pandas", "mlflow", "rliable")
RENDERERS = ("egl", "osmesa", "glfw")
LITTLE_DISK_GIB, TOO_LITTLE_DISK_GIB = 5.0, 0.5
LITTLE_SHARED_MEMORY_GIB = 1.0  # Ray's object store lies there and falls back to slow files
_TIMEOUT_S = 60.0  # of a renderer: the first use of EGL compiles shaders
_SERVER_TIMEOUT_S = 5.0

_RENDER = """
import mujoco
model = mujoco.MjModel.from_xml_string(
    '<mujoco><worldbody><light pos="0 0 3"/><geom size="1"/></worldbody></mujoco>'
)
renderer = mujoco.Renderer(model, 32, 32)
data = mujoco.MjData(model)
mujoco.mj_forward(model, data)
renderer.update_scene(data)
assert renderer.render().max() > 0
"""


@dataclass(frozen=True)
class Finding:
    """One thing that was looked at.

    Attributes:
        name: What.
        state: ``ok``, ``warning`` (something works less well) or ``broken`` (nothing runs).
        detail: What was found.
        advice: What to do; empty when it is ok.
    """

    name: str
    state: str
    detail: str
    advice: str = ""


def examine(results: Path) -> list[Finding]:
    """Look at everything.

    Args:
        results: The results folder.

    Returns:
        The findings; runs are possible when none is ``broken``.
    """
    checks: list[Callable[[], Finding]] = [
        python,
        *(lambda name=name: package(name) for name in PACKAGES),
        processors,
        shared_memory,
        lambda: writable(results),
        lambda: disk(results),
        lambda: tracking(results),
        rendering,
        film,
    ]
    return [check() for check in checks]


def python() -> Finding:
    """Look at the version of Python."""
    version = ".".join(map(str, sys.version_info[:3]))
    fits = (3, 11) <= sys.version_info[:2] < (3, 13)
    advice = "" if fits else "use Python 3.11 or 3.12"
    return Finding("python", "ok" if fits else "broken", version, advice)


def package(name: str) -> Finding:
    """Look at the version of a package, against what this distribution asks for."""
    try:
        version = metadata.version(name)
    except metadata.PackageNotFoundError:
        return Finding(name, "broken", "not installed", "install again: make install")
    needed = {
        requirement.name: requirement.specifier
        for requirement in map(Requirement, metadata.requires("expedition") or ())
        if requirement.marker is None
    }
    wanted = needed.get(name)
    if wanted is not None and not wanted.contains(version, prereleases=True):
        return Finding(name, "broken", f"{version}, not {wanted}", "install again: make install")
    return Finding(name, "ok", version)


def processors() -> Finding:
    """Count the cores that may be used, and note a thread limit that trials would inherit."""
    usable, total = usable_cores(), os.cpu_count() or 1
    detail = f"{usable} of {total} cores usable"
    threads = os.environ.get("OMP_NUM_THREADS")
    if threads is not None:
        detail += f", OMP_NUM_THREADS={threads}"
    return Finding("processors", "ok", detail)


def shared_memory() -> Finding:
    """Look at the size of shared memory."""
    folder = Path("/dev/shm")
    if not folder.is_dir():
        return Finding("shared memory", "ok", "no /dev/shm on this system")
    size = shutil.disk_usage(folder).total / 2**30
    detail = f"{size:.1f} GiB in /dev/shm"
    if size < LITTLE_SHARED_MEMORY_GIB:
        advice = "give the container more, e.g. docker run --shm-size=2g"
        return Finding("shared memory", "warning", detail, advice)
    return Finding("shared memory", "ok", detail)


def writable(results: Path) -> Finding:
    """Write into the results folder; one that is not there is made for the test alone."""
    existed = results.exists()
    try:
        staging.require_usable(results)
        require_writable(results)
    except UserError as error:
        return Finding("results folder", "broken", str(error), "choose another with --results")
    if not existed:
        results.rmdir()
    return Finding("results folder", "ok", address(results))


def disk(results: Path) -> Finding:
    """Look at the free space where results go."""
    place = results
    while not place.exists():
        place = place.parent
    free = shutil.disk_usage(place).free / 2**30
    detail = f"{free:.1f} GiB free"
    if free >= LITTLE_DISK_GIB:
        return Finding("disk", "ok", detail)
    state = "broken" if free < TOO_LITTLE_DISK_GIB else "warning"
    return Finding("disk", state, detail, "free some, or choose another --results")


def tracking(results: Path) -> Finding:
    """Reach the MLflow store, without importing MLflow."""
    uri = tracking_uri(RunFolder(results / "run"))
    try:
        if uri.startswith("sqlite:///"):
            _open_sqlite(Path(uri.removeprefix("sqlite:///")))
        elif uri.startswith(("http://", "https://")):
            urllib.request.urlopen(f"{uri.rstrip('/')}/health", timeout=_SERVER_TIMEOUT_S).close()
        else:
            return Finding("MLflow", "ok", f"{uri} (not tried)")
    except (OSError, sqlite3.Error, urllib.error.URLError) as error:
        advice = "runs go on without it; send them later with: expedition track RUN"
        return Finding("MLflow", "warning", f"{uri}: {error}", advice)
    return Finding("MLflow", "ok", uri)


def _open_sqlite(file: Path) -> None:
    """Read a SQLite file; one that is not there yet will be made by the first run."""
    if file.exists():
        connection = sqlite3.connect(f"file:{file}?mode=rw", uri=True, timeout=_SERVER_TIMEOUT_S)
        try:
            connection.execute("PRAGMA schema_version")
        finally:
            connection.close()


def rendering() -> Finding:
    """Render a MuJoCo scene with each of its backends, each in a process of its own."""
    chosen = os.environ.get("MUJOCO_GL")
    working = [name for name in ([chosen] if chosen else RENDERERS) if renders(name)]
    if working:
        return Finding("rendering", "ok", f"MuJoCo renders with MUJOCO_GL={working[0]}")
    tried = chosen or ", ".join(RENDERERS)
    advice = (
        "training needs none; for `expedition render` of MuJoCo tasks install EGL or OSMesa"
        " (Debian: apt-get install libegl1 libosmesa6)"
    )
    return Finding("rendering", "warning", f"MuJoCo does not render ({tried})", advice)


def renders(backend: str) -> bool:
    """Whether MuJoCo renders with a backend."""
    try:
        done = subprocess.run(
            [sys.executable, "-c", _RENDER],
            env={**os.environ, "MUJOCO_GL": backend},
            capture_output=True, timeout=_TIMEOUT_S, check=False,
        )  # fmt: skip
    except subprocess.TimeoutExpired:
        return False
    return done.returncode == 0


def film() -> Finding:
    """Find the ffmpeg that comes with imageio."""
    try:
        import imageio_ffmpeg  # type: ignore[import-untyped]

        return Finding("ffmpeg", "ok", Path(imageio_ffmpeg.get_ffmpeg_exe()).name)
    except (ImportError, RuntimeError) as error:
        return Finding("ffmpeg", "warning", str(error), "write .gif or .png instead of .mp4")
