"""The wheel that is sent: nothing but the package, named by its content, without dependencies."""

from __future__ import annotations

import base64
import hashlib
import re
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from expedition.cluster import wheel

FILES = {
    "expedition/envs/__init__.py": b"GRAVITY = 9.81\n",
    "expedition-0.1.0.dist-info/METADATA": (
        b"Metadata-Version: 2.4\nName: expedition\nVersion: 0.1.0\nProvides-Extra: dev\n"
        b"Requires-Dist: torch>=2.9\nRequires-Python: >=3.11\n\nRequires-Dist: in the text\n"
    ),
    "expedition-0.1.0.dist-info/WHEEL": (
        b"Wheel-Version: 1.0\nGenerator: x\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
    ),
    "expedition-0.1.0.dist-info/RECORD": b"of another wheel,,\n",
}


def _read(path: Path) -> dict[str, bytes]:
    with zipfile.ZipFile(path) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def test_a_wheel_is_named_by_its_content(tmp_path: Path) -> None:
    one = wheel.pack(FILES, tmp_path)
    again = wheel.pack(dict(reversed(FILES.items())), tmp_path / ".." / tmp_path.name)
    changed = {**FILES, "expedition/envs/__init__.py": b"GRAVITY = 1.62\n"}
    other = wheel.pack(changed, tmp_path)

    assert re.fullmatch(r"expedition-0\.1\.0-0x[0-9a-f]{12}-py3-none-any\.whl", one.path.name)
    assert one.path.name == again.path.name
    assert one.path.name != other.path.name
    assert one.files == 4
    assert one.size == one.path.stat().st_size


def test_a_wheel_asks_for_no_dependencies(tmp_path: Path) -> None:
    files = _read(wheel.pack(FILES, tmp_path).path)
    header, _, text = files["expedition-0.1.0.dist-info/METADATA"].decode().partition("\n\n")
    assert "Requires-Dist" not in header
    assert "Provides-Extra" not in header
    assert "Requires-Python: >=3.11" in header
    assert text == "Requires-Dist: in the text\n"


def test_the_record_of_a_wheel_is_right(tmp_path: Path) -> None:
    files = _read(wheel.pack(FILES, tmp_path).path)
    record = files["expedition-0.1.0.dist-info/RECORD"].decode().splitlines()
    rows = dict(line.split(",", 1) for line in record)
    assert set(rows) == set(files)
    for name, data in files.items():
        if name.endswith("RECORD"):
            continue
        digest = base64.urlsafe_b64encode(hashlib.sha256(data).digest()).decode().rstrip("=")
        assert rows[name] == f"sha256={digest},{len(data)}"


@pytest.mark.slow
def test_the_running_package_can_be_installed_from_its_wheel_without_an_index(
    tmp_path: Path,
) -> None:
    made = wheel.make(tmp_path)
    names = set(_read(made.path))
    assert {"expedition/cluster/cli.py", "expedition/tune_specs/smm/fig2c.yaml"} <= names
    assert not any(name.startswith(("platform/", "tests/", "docs/", "results/")) for name in names)
    assert made.size < 4 * 2**20

    target = tmp_path / "target"
    # What Ray runs on a node. Without an index a single dependency would fail it.
    install = [sys.executable, "-m", "pip", "install", "--no-index", "--quiet"]
    subprocess.run([*install, str(made.path), f"--target={target}"], check=True)
    assert {path.name for path in target.iterdir()} - {"bin"} == {
        "expedition", "expedition-0.1.0.dist-info",
    }  # fmt: skip
