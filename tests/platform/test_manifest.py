from __future__ import annotations

import subprocess
from importlib.metadata import version
from pathlib import Path

from expedition.platform import manifest
from expedition.platform.store import RunFolder, read_json


def test_a_manifest_says_what_ran_on_what(tmp_path: Path) -> None:
    folder = RunFolder(tmp_path / "run")

    manifest.begin(folder, ["expedition", "run", "x"], "quick")

    content = read_json(folder.manifest)
    assert content["command"] == ["expedition", "run", "x"]
    assert (content["name"], content["preset"]) == ("run", "quick")
    assert (content["status"], content["end_time"]) == ("running", None)
    assert content["packages"]["ray"] == version("ray")
    assert content["machine"]["cores"] >= 1
    assert content["machine"]["memory_gib"] > 0


def test_a_resumed_run_remembers_its_launches(tmp_path: Path) -> None:
    folder = RunFolder(tmp_path / "run")
    manifest.begin(folder, ["first"], "quick")
    manifest.end(folder, manifest.INTERRUPTED)
    manifest.begin(folder, ["second"], "quick")
    manifest.end(folder, manifest.FINISHED)

    content = read_json(folder.manifest)

    assert content["status"] == "finished"
    assert [launch["command"] for launch in content["launches"]] == [["first"], ["second"]]
    assert [launch["status"] for launch in content["launches"]] == ["interrupted", "finished"]
    assert content["start_time"] == content["launches"][0]["start_time"]


def test_the_git_state_is_revision_and_changes(tmp_path: Path) -> None:
    def git(*arguments: str) -> str:
        command = ["git", "-C", str(tmp_path), "-c", "user.name=x", "-c", "user.email=x@y"]
        done = subprocess.run([*command, *arguments], check=True, capture_output=True, text=True)
        return done.stdout.strip()

    assert manifest.git_state(tmp_path) == {"revision": None, "dirty": None}
    git("init", "-q")
    (tmp_path / "file").write_text("1")
    git("add", "file")
    git("commit", "-qm", "first")
    clean = manifest.git_state(tmp_path)
    (tmp_path / "file").write_text("2")

    assert clean == {"revision": git("rev-parse", "HEAD"), "dirty": False}
    assert manifest.git_state(tmp_path)["dirty"] is True
