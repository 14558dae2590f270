"""Which requests a cluster can hold, and how an impossible one is refused."""

from __future__ import annotations

import time
from collections import Counter
from itertools import product
from typing import Any

import numpy as np
import pytest
from fakes import fake_experiment

from expedition.platform.errors import UserError
from expedition.platform.placement import GROWS_VARIABLE, describe, fits, require_room
from expedition.platform.plan import trials_of
from expedition.platform.resources import request_for
from expedition.platform.spec import Experiment


def _by_trying_all(bundles: list[dict[str, float]], nodes: list[dict[str, float]]) -> bool:
    """Whether some assignment of bundles to nodes overfills none."""
    for where in product(range(len(nodes)), repeat=len(bundles)):
        used: Counter[tuple[int, str]] = Counter()
        for node, bundle in zip(where, bundles, strict=True):
            for kind, amount in bundle.items():
                used[node, kind] += amount  # type: ignore[assignment]
        if all(amount <= nodes[node].get(kind, 0) for (node, kind), amount in used.items()):
            return True
    return False


def test_what_fits_is_what_some_assignment_holds() -> None:
    random = np.random.default_rng(0)
    verdicts = Counter[bool]()
    for _ in range(300):
        bundles = [
            {"CPU": float(random.integers(1, 4)), "GPU": random.choice([0.0, 0.5, 1.0])}
            for _ in range(random.integers(1, 5))
        ]
        nodes = [
            {"CPU": float(random.integers(1, 6)), "GPU": float(random.integers(0, 3))}
            for _ in range(random.integers(1, 4))
        ]
        expected = _by_trying_all(bundles, nodes)
        assert fits(bundles, nodes) == expected
        verdicts[expected] += 1
    assert min(verdicts.values()) > 50


def test_the_sum_of_all_nodes_does_not_make_a_node() -> None:
    assert fits([{"CPU": 2}, {"CPU": 2}], [{"CPU": 2}, {"CPU": 2}])
    assert not fits([{"CPU": 2}, {"CPU": 2}], [{"CPU": 3}, {"CPU": 1}])
    assert not fits([{"CPU": 2}], [{"CPU": 1}, {"CPU": 1}])
    # Ten tenths are a whole, whatever their sum in floating point is.
    assert fits([{"CPU": 0.1}] * 10, [{"CPU": 1}])
    assert not fits([{"CPU": 1}] * 65, [{"CPU": 4}] * 16)
    assert fits([{"CPU": 1}] * 64, [{"CPU": 4}] * 16)


def test_many_equal_bundles_are_judged_at_once() -> None:
    small = [{"CPU": float(count)} for count in (4, 8, 12, 14, 12, 16)]
    assert fits([{"CPU": 1}] * 66, small)
    assert not fits([{"CPU": 1}] * 67, small)
    assert not fits([{"CPU": 1}] * 70, small)
    large = [{"CPU": float(count)} for count in (16, 32, 64, 128)]
    assert fits([{"CPU": 2}, *[{"CPU": 1}] * 238], large)
    assert not fits([{"CPU": 2}, *[{"CPU": 1}] * 239], large)
    assert not fits([{"CPU": 1}] * 250, large)
    many = [{"CPU": 16.0}] * 100
    assert fits([{"CPU": 1}] * 1_200, many)
    assert fits(
        [{"CPU": 4, "GPU": 1}, *[{"CPU": 3}] * 499, {"CPU": 1}], [{"CPU": 16, "GPU": 1}] * 100
    )
    assert not fits([{"CPU": 3}] * 501, many)


def test_a_request_that_takes_too_long_to_judge_is_let_through() -> None:
    # Even bundles leave a CPU of every odd node idle: six too many, which counting does not see.
    nodes = [{"CPU": 101.0}] * 12
    sizes = [*range(20, 60, 2), *range(30, 46, 2), 40, 44, 46]
    assert 12 * 100 < sum(sizes) < 12 * 101
    start = time.perf_counter()
    assert fits([{"CPU": float(size)} for size in sizes], nodes)
    assert time.perf_counter() - start < 5


def test_requests_are_told_in_words() -> None:
    assert describe([{"CPU": 2.0}, {"CPU": 1.0}, {"CPU": 1.0, "GPU": 0}]) == "2 CPUs + 2 x 1 CPU"
    assert describe([{"CPU": 1, "GPU": 0.5, "memory": 9e9}]) == "1 CPU and 0.5 GPUs"
    assert describe([{"memory": 1e9}]) == "no CPU"


def _runners(count: int, **resources: Any) -> Experiment:
    variant = {"algorithm": "sac", "config": {"num_env_runners": count}}
    return fake_experiment(variants={"far": variant}, env="Pendulum-v1", resources=resources)


def test_an_impossible_trial_is_one_line_with_both_sides(monkeypatch: pytest.MonkeyPatch) -> None:
    nodes = [{"CPU": 1.0, "memory": 1e9}] * 3
    require_room(_runners(2), nodes, "the cluster")
    message = "a trial of far needs 4 x 1 CPU and the cluster has 3 x 1 CPU: lower its"
    with pytest.raises(UserError, match=message):
        require_room(_runners(3), nodes, "the cluster")
    with pytest.raises(UserError, match=r"needs 2 CPUs \+ 2 x 1 CPU and the cluster has 3 x 1 CPU"):
        require_room(_runners(2, cpus=2), nodes, "the cluster")
    monkeypatch.setenv(GROWS_VARIABLE, "1")
    require_room(_runners(3), nodes, "the cluster")


def test_a_strategy_reaches_ray_and_is_nothing_new_in_older_runs() -> None:
    (spread,) = trials_of(_runners(2, strategy="SPREAD"))
    assert request_for(spread).strategy == "SPREAD"
    (plain,) = trials_of(_runners(2))
    assert request_for(plain).strategy == "PACK"
    assert plain.to_dict()["resources"] == {"cpus": 1.0, "gpus": 0.0}
    with pytest.raises(UserError, match="unknown value 'SPREADD'; did you mean 'SPREAD'"):
        _runners(2, strategy="SPREADD")


def test_a_methods_own_placement_holds_where_the_experiment_says_nothing() -> None:
    config = {
        "num_skills": 2, "layout": "split", "component_actors": 2, "component_placement": "SPREAD",
    }  # fmt: skip
    variant = {"algorithm": "smm", "config": config}
    env = "expedition/Navigation-v0"
    (trial,) = trials_of(fake_experiment(variants={"sm4": variant}, env=env))
    request = request_for(trial)
    assert request.strategy == "SPREAD"
    assert [bundle["CPU"] for bundle in request.bundles] == [1, 1, 1]
    packed = {"cpus": 1, "strategy": "PACK"}
    (trial,) = trials_of(fake_experiment(variants={"sm4": variant}, env=env, resources=packed))
    assert request_for(trial).strategy == "PACK"


def test_a_process_that_asks_for_nothing_is_one_line() -> None:
    config = {"num_skills": 2, "layout": "split", "component_actors": 2, "component_cpus": 0}
    env = "expedition/Navigation-v0"
    sm4 = fake_experiment(variants={"sm4": {"algorithm": "smm", "config": config}}, env=env)
    with pytest.raises(UserError, match=r"sm4 \(smm\): an actor .* set component_cpus or num_cpus"):
        request_for(trials_of(sm4)[0])
    far = {"algorithm": "sac", "config": {"num_env_runners": 1, "num_cpus_per_env_runner": 0}}
    with pytest.raises(UserError, match=r"far \(sac\): an actor or remote runner asks for no CPU"):
        request_for(trials_of(fake_experiment(variants={"far": far}, env="Pendulum-v1"))[0])
