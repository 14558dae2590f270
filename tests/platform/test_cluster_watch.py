"""A launch ends when its cluster has died, and only then."""

from __future__ import annotations

import pytest
import ray

from expedition.platform.cluster_watch import ClusterWatch
from expedition.platform.errors import UserError


def test_a_lost_node_is_waited_for_while_another_lives(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ray, "nodes", lambda: [{"Alive": False}, {"Alive": True}])
    ClusterWatch().on_step_begin(0, [])


def test_a_cluster_without_a_living_node_ends_the_launch_with_what_to_do(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(ray, "nodes", lambda: [{"Alive": False}, {"Alive": False}])
    with pytest.raises(UserError, match="--resume"):
        ClusterWatch().on_step_begin(0, [])
