"""The code that goes to a cluster: this package as a wheel, and nothing else of the machine.

Never the working tree: Ray puts a shipped folder at the front of ``sys.path``, where the folder
``platform`` would take the place of the standard module.
"""

from __future__ import annotations

import base64
import hashlib
import importlib.util
import json
import shutil
import subprocess
import sys
import tempfile
import tomllib
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from urllib.parse import urlparse
from urllib.request import url2pathname

from expedition.platform.errors import UserError

NAME = "expedition"
_EPOCH = (1980, 1, 1, 0, 0, 0)  # of every file: equal code makes an equal wheel
_DEPENDENCY = ("Requires-Dist:", "Provides-Extra:")


@dataclass(frozen=True)
class Wheel:
    """A wheel that can be sent.

    Attributes:
        path: The file. Its name holds a digest of its content, for Ray takes two wheels of the
            same name for the same code.
        files: How many files it holds.
        size: Bytes.
    """

    path: Path
    files: int
    size: int


def make(folder: Path) -> Wheel:
    """Make a wheel of the package that is running.

    It declares no dependencies: Ray installs it on every node, and would install them with it. The
    nodes have them already.

    Args:
        folder: Where to put it.

    Raises:
        UserError: It cannot be built.
    """
    source = editable_source()
    return pack(_built(source) if source else _installed(), folder)


def editable_source() -> Path | None:
    """Folder of the checkout this package runs from; ``None`` when it is installed for good."""
    text = _distribution().read_text("direct_url.json")
    record = json.loads(text) if text else {}
    if not record.get("dir_info", {}).get("editable"):
        return None
    return Path(url2pathname(urlparse(record["url"]).path))


def _distribution() -> metadata.Distribution:
    """Find the installed package; in its checkout an older build's notes may lie before it."""
    for found in metadata.distributions(name=NAME):
        if found.read_text("RECORD"):
            return found
    raise UserError(f"{NAME} is not installed: install it, so that it can be sent")


def pack(files: Mapping[str, bytes], folder: Path) -> Wheel:
    """Write a wheel without dependencies, named by its content.

    Args:
        files: Path in the wheel -> content; the ``.dist-info`` of a wheel is among them.
        folder: Where to put it.
    """
    info = next(name.partition("/")[0] for name in files if ".dist-info/" in name)
    record = f"{info}/RECORD"
    content = {name: data for name, data in sorted(files.items()) if name != record}
    content[f"{info}/METADATA"] = _without_dependencies(content[f"{info}/METADATA"])
    tag = "0x" + _digest(content)[:12]  # a build tag begins with a digit
    content[f"{info}/WHEEL"] = _with_tag(content[f"{info}/WHEEL"], tag)
    lines = [f"{name},{_hash(data)},{len(data)}" for name, data in content.items()]
    content[record] = "\n".join([*lines, f"{record},,", ""]).encode()
    path = folder / f"{info.removesuffix('.dist-info')}-{tag}-py3-none-any.whl"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in content.items():
            archive.writestr(zipfile.ZipInfo(name, _EPOCH), data, zipfile.ZIP_DEFLATED)
    return Wheel(path, len(content), path.stat().st_size)


def _digest(files: Mapping[str, bytes]) -> str:
    summed = hashlib.sha256()
    for name, data in files.items():
        summed.update(f"{name}\0{len(data)}\0".encode())
        summed.update(data)
    return summed.hexdigest()


def _hash(data: bytes) -> str:
    """Hash of a file as RECORD writes it."""
    digest = base64.urlsafe_b64encode(hashlib.sha256(data).digest())
    return f"sha256={digest.rstrip(b'=').decode()}"


def _without_dependencies(text: bytes) -> bytes:
    header, separator, body = text.decode().partition("\n\n")
    kept = [line for line in header.splitlines() if not line.startswith(_DEPENDENCY)]
    return ("\n".join(kept) + separator + body).encode()


def _with_tag(text: bytes, tag: str) -> bytes:
    """Give the WHEEL file with the build tag that is in the file's name."""
    lines = [line for line in text.decode().splitlines() if line and not line.startswith("Build:")]
    return "\n".join([*lines, f"Build: {tag}", ""]).encode()


def _built(source: Path) -> dict[str, bytes]:
    """Build the wheel of a checkout, in a copy: a build leaves files beside its sources."""
    with tempfile.TemporaryDirectory(prefix="expedition-wheel-") as temporary:
        copy = Path(temporary) / "source"
        _copy(source, copy)
        command = [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps"]
        if importlib.util.find_spec("setuptools") is not None:
            command.append("--no-build-isolation")  # else pip fetches the build's tools
        done = subprocess.run(
            [*command, "--wheel-dir", temporary, str(copy)],
            capture_output=True, text=True, check=False,
        )  # fmt: skip
        if done.returncode != 0:
            reason = (done.stderr.strip().splitlines() or ["no reason given"])[-1]
            raise UserError(f"cannot build the wheel of {source}: {reason}")
        (wheel,) = Path(temporary).glob("*.whl")
        with zipfile.ZipFile(wheel) as archive:
            names = [name for name in archive.namelist() if not name.endswith("/")]
            return {name: archive.read(name) for name in names}


def _copy(source: Path, target: Path) -> None:
    """Copy what a build reads: the project's files and the folders of its packages."""
    project = tomllib.loads((source / "pyproject.toml").read_text(encoding="utf-8"))
    folders = project["tool"]["setuptools"]["package-dir"].values()
    target.mkdir()
    for file in source.iterdir():
        if file.is_file() and not file.name.startswith("."):
            shutil.copy2(file, target)
    for name in folders:
        ignored = shutil.ignore_patterns("__pycache__")
        shutil.copytree(source / name, target / name, ignore=ignored)


def _installed() -> dict[str, bytes]:
    """Read the files of the installed package back."""
    found = {}
    for file in _distribution().files or ():
        name = file.as_posix()
        # Scripts, compiled files and the installer's notes are this machine's.
        foreign = name.startswith("..") or "__pycache__" in name
        if not foreign and file.name not in ("INSTALLER", "REQUESTED", "direct_url.json"):
            found[name] = Path(str(file.locate())).read_bytes()
    return found
