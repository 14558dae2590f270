"""Fixtures for tests of clusters: a home of their own, the quick method, a real cluster."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import pytest
from quick_spec import PLUGIN, write_spec

from expedition.cluster import local, processes, state
from expedition.cluster.state import Cluster, plan_nodes


@pytest.fixture(autouse=True)
def own_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Keep the user's cluster, tokens and addresses out of the tests."""
    monkeypatch.setenv(state.HOME_VARIABLE, str(tmp_path / "home"))
    monkeypatch.setenv("HOME", str(tmp_path))
    for name in list(os.environ):
        if name.startswith(("RAY_AUTH", "RAY_API", "RAY_ADDRESS", "MLFLOW_")):
            monkeypatch.delenv(name)
    return tmp_path / "home"


@pytest.fixture
def spec_file(tmp_path: Path) -> Path:
    """An experiment of the quick method in a file."""
    return write_spec(tmp_path / "mine" / "quick.yaml")


@pytest.fixture(scope="session")
def started(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Cluster, Path]]:
    """Three nodes with a CPU each, for all tests of the session, and their home."""
    home = tmp_path_factory.mktemp("home")
    cluster = _up(home, 3)
    try:
        yield cluster, home
    finally:
        with pytest.MonkeyPatch.context() as patch:
            patch.setenv(state.HOME_VARIABLE, str(home))
            local.down()
        assert processes.members(cluster) == []
        assert not cluster.scratch.exists()
        assert not any((home / "cluster").glob("*.json"))


@pytest.fixture
def cluster(started: tuple[Cluster, Path], monkeypatch: pytest.MonkeyPatch) -> Cluster:
    """The cluster of the session, as this user's local one."""
    monkeypatch.setenv(state.HOME_VARIABLE, str(started[1]))
    return started[0]


@pytest.fixture
def start_another(started: tuple[Cluster, Path]) -> Callable[[int], Cluster]:
    """Start a cluster of so many nodes in the place of the session's, which must have ended."""
    return partial(_up, started[1])


def _up(home: Path, nodes: int) -> Cluster:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv(state.HOME_VARIABLE, str(home))
        patch.setenv("OMP_NUM_THREADS", "1")
        patch.setenv("PYTHONPATH", f"{PLUGIN}{os.pathsep}{os.environ.get('PYTHONPATH', '')}")
        return local.up(plan_nodes(nodes, [1]), object_store_mib=80, dashboard_port=None)
