"""Launches on a real cluster of three nodes that lose their storage, or the node of a component."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from quick_spec import PLUGIN, rows_of, undisturbed, wait_for, write_spec

from expedition.cluster import local, processes
from expedition.cluster.state import Cluster, load
from expedition.platform import checkpoints
from expedition.platform.catalog import load as load_experiment
from expedition.platform.resolve import Choices
from expedition.platform.store import RunFolder, read_json

pytestmark = pytest.mark.slow

SM4 = {
    "layout": "split", "num_skills": 2, "hidden_sizes": [8, 8], "density_hidden_sizes": [8],
    "discriminator_hidden_sizes": [8], "warmup_steps": 60, "iteration_steps": 200,
    "updates_per_step": 0.2, "train_batch_size": 12, "torch_threads": 1,
    "num_historical_policies": 0,
}  # fmt: skip
ON_ACTORS = {"component_actors": 2, "component_cpus": 0.25, "component_placement": "SPREAD"}
HOST = b"ray::_Host"  # the title of an actor's process


@pytest.fixture(autouse=True)
def fake_method(monkeypatch: pytest.MonkeyPatch) -> None:
    """Find the method "fake" as a third party's is found."""
    monkeypatch.syspath_prepend(str(PLUGIN))


@pytest.fixture
def nodes(cluster: Cluster, start_another: Callable[[int], Cluster]) -> Cluster:
    """Three living nodes, whatever the tests before have ended."""
    if [node.state for node in local.status()[1]] != ["alive"] * 3:
        local.down()
        start_another(3)
    found = load()
    assert found is not None
    return found


@pytest.fixture
def drive(nodes: Cluster) -> Iterator[Callable[..., subprocess.Popen[str]]]:
    """Run an experiment as a user does after ``eval "$(expedition cluster env)"``."""
    path = os.pathsep.join([str(PLUGIN), os.environ.get("PYTHONPATH", "")])
    started = []

    def start(file: Path, results: Path, *more: str) -> subprocess.Popen[str]:
        driver = subprocess.Popen(
            [
                sys.executable, "-m", "expedition.platform.cli.app", "run", str(file), "--no-track",
                "--address", "auto", "--results", str(results), "--name", "run", *more,
            ],
            env={**os.environ, **local.environment(nodes), "PYTHONPATH": path},
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
        )  # fmt: skip
        started.append(driver)
        return driver

    yield start
    for driver in started:
        driver.kill()
        driver.communicate()


@contextmanager
def _read_only(folder: Path) -> Iterator[None]:
    """Forbid everybody to write into a folder, the administrator too."""
    if shutil.which("chattr") is None:
        pytest.skip("there is no chattr")
    for _ in range(2):  # what was written meanwhile is in a folder that the first has closed
        subprocess.run(["chattr", "-R", "+i", str(folder)], capture_output=True, check=False)
    try:
        try:
            (folder / "probe").touch()
        except PermissionError:
            yield
        else:
            pytest.skip("files cannot be made immutable here")
    finally:
        subprocess.run(["chattr", "-R", "-i", str(folder)], capture_output=True, check=False)


def test_storage_that_turns_read_only_and_a_damaged_checkpoint_leave_the_same_numbers(
    drive: Callable[..., subprocess.Popen[str]], tmp_path: Path
) -> None:
    variants = {"one": {"algorithm": "fake", "config": {"sleep_s": 0.2}}}
    file = write_spec(tmp_path / "mine" / "quick.yaml", variants=variants, budget=200)
    trial = RunFolder(tmp_path / "results" / "run").trial("default/one/seed_0")
    driver = drive(file, tmp_path / "results")
    wait_for(lambda: len(trial.rows()) > 6 or driver.poll() is not None)
    with _read_only(tmp_path / "results"):
        said, _ = driver.communicate(timeout=90)
        assert driver.returncode in (1, 2), said
        (line,) = (line for line in said.splitlines() if line.startswith("expedition: "))
        assert f"cannot write {tmp_path / 'results' / 'run'}" in line
        assert "Traceback" not in said
    kept = list(checkpoints.newest_first(trial.checkpoints))
    assert len(kept) == 2
    assert all(found is not None for _, found in kept)

    (newest, _), (_, before) = kept
    assert before is not None
    (newest / "fake.json").write_text("{}")
    again = drive(file, tmp_path / "results", "--resume")
    said, _ = again.communicate(timeout=90)
    assert again.returncode == 0, said
    assert f"{newest.name} is not readable; going on from iteration {before.iteration}" in said
    expected = undisturbed(load_experiment(str(file), Choices()), tmp_path / "expected")
    assert rows_of(trial) == expected["default/one/seed_0"]


def test_sm4_goes_on_when_the_node_of_a_component_dies_with_the_numbers_of_one_process(
    nodes: Cluster, drive: Callable[..., subprocess.Popen[str]], tmp_path: Path
) -> None:
    variants = {
        "spread": {"algorithm": "smm", "config": {**SM4, **ON_ACTORS}},
        "alone": {"algorithm": "smm", "config": SM4},
    }
    file = write_spec(
        tmp_path / "mine" / "quick.yaml", variants=variants, env="expedition/Navigation-v0",
        budget=4_000, checkpoint_every=100,
    )  # fmt: skip
    folder = RunFolder(tmp_path / "results" / "run")
    trial = folder.trial("default/spread/seed_0")
    driver = drive(file, tmp_path / "results")
    wait_for(lambda: len(trial.rows()) > 2 or driver.poll() is not None)
    owner = read_json(trial.path / ".owner.json")["pid"]
    homes = [node.name for node in nodes.nodes for _ in range(_hosts(nodes, node.name))]
    assert len(homes) == len(set(homes)) == 2
    (trials,) = (n.name for n in nodes.nodes if owner in processes.node_members(nodes, n.name))
    assert trials not in homes
    lost = next(name for name in homes if name != "node-0")  # not the head
    for pid in processes.node_members(nodes, lost):
        os.kill(pid, signal.SIGKILL)
    rows = len(trial.rows())
    assert rows < 20  # it was in the middle
    said, _ = driver.communicate(timeout=120)
    assert driver.returncode == 0, said
    assert read_json(trial.path / ".owner.json")["pid"] == owner  # only the component began anew
    assert len(trial.rows()) == 20
    alone = rows_of(folder.trial("default/alone/seed_0"))
    for mine, theirs in zip(rows_of(trial), alone, strict=True):
        revived = mine.pop("learner/pool_revivals"), theirs.pop("learner/pool_revivals")
        assert mine == theirs
    # Twice where the first new actor went to the lost node, before the head had missed it.
    assert revived[0] in (1, 2)
    assert revived[1] == 0


def _hosts(nodes: Cluster, name: str) -> int:
    """Count the actors of a pool on a node."""
    pids = processes.node_members(nodes, name)
    return sum(Path(f"/proc/{pid}/cmdline").read_bytes().startswith(HOST) for pid in pids)
