"""A pool's members keep their numbers wherever they live, also when an actor dies."""

import sys
from typing import Any

import pytest
import ray
from dead_actors import kill
from ray.exceptions import ObjectLostError
from ray.util.placement_group import placement_group, remove_placement_group
from ray.util.scheduling_strategies import PlacementGroupSchedulingStrategy

from expedition.algorithms.core.actor_pool import ActorPool
from expedition.algorithms.core.errors import PoolLostError

# Ray sends what is defined here by value: workers cannot import test modules.
ray.cloudpickle.register_pickle_by_value(sys.modules[__name__])


class Counter:
    """Adds up requests."""

    def __init__(self, index: int) -> None:
        self.total = 1000 * index

    def run(self, request: int) -> int:
        self.total += request
        return self.total

    def get_state(self) -> int:
        return self.total

    round_state = get_state

    def set_state(self, state: int) -> None:
        self.total = state


class Diary(Counter):
    """Keeps every request; its owner can rebuild them, so that a round's state has none."""

    def __init__(self, index: int) -> None:
        self.entries: list[int] = []

    def run(self, request: int) -> int:
        self.entries.append(request)
        return request

    def get_state(self) -> list[int]:
        return list(self.entries)

    def round_state(self) -> int:
        return len(self.entries)

    def set_state(self, state: list[int]) -> None:
        self.entries = list(state)


@pytest.mark.parametrize("actors", [0, 2, 3])
def test_a_pool_hosts_any_number_of_members_on_any_number_of_actors(actors: int, small_ray: None):
    pool = ActorPool(Counter, members=3, actors=actors, num_cpus=0.3)
    assert pool.run([1, 2, 3]) == [1, 1002, 2003]
    states = pool.get_states()
    if actors:
        kill(pool._hosts[1])
    assert pool.run([10, 20, 30]) == [11, 1022, 2033]
    if actors:
        kill(pool._hosts[0])
    pool.set_states(states)
    assert pool.run([5, 5, 5]) == [6, 1007, 2008]
    pool.stop()


def test_what_a_finished_member_left_out_of_its_state_survives_a_death_in_the_same_round(
    small_ray: None,
):
    entries: dict[int, list[int]] = {0: [], 1: []}

    def recover(index: int, length: int) -> list[int]:
        assert len(entries[index]) == length
        return entries[index]

    pool = ActorPool(
        Diary,
        members=2,
        actors=1,
        num_cpus=0.3,
        record=lambda index, result: entries[index].append(result),
        recover=recover,
    )
    pool.run([1, 2])
    pool.submit(0, 3)
    assert pool.wait() == (0, 3)
    kill(pool._hosts[0])
    pool.submit(1, 4)
    assert pool.wait() == (1, 4)
    assert pool.revivals == 1
    assert pool.get_states() == [[1, 3], [2, 4]]
    pool.stop()


@pytest.mark.parametrize("lost", ["result", "state of a checkpoint"])
def test_what_is_lost_with_a_node_is_computed_again(
    lost: str, small_ray: None, monkeypatch: pytest.MonkeyPatch
):
    pool = ActorPool(Counter, members=2, actors=1, num_cpus=0.3)
    pool.run([1, 2])
    get, losses = ray.get, iter([ObjectLostError("00", None, "")])

    def get_or_lose(*args: Any, **kwargs: Any) -> Any:
        if loss := next(losses, None):
            raise loss
        return get(*args, **kwargs)

    monkeypatch.setattr(ray, "get", get_or_lose)
    if lost == "result":
        assert pool.run([10, 20]) == [11, 1022]  # by an actor that has not counted them yet
    assert pool.get_states() == [[1, 1002], [11, 1022]][lost == "result"]
    assert pool.revivals == (lost == "result")
    pool.stop()


def test_an_actor_that_dies_again_and_again_is_an_error(
    small_ray: None, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr("expedition.algorithms.core.actor_pool._REVIVALS", 1)
    pool = ActorPool(Counter, members=1, actors=1, num_cpus=0.3)
    pool.run([1])
    kill(pool._hosts[0])
    assert pool.run([1]) == [2]
    kill(pool._hosts[0])
    with pytest.raises(PoolLostError, match="died 2 times"):
        pool.run([1])
    pool.stop()


@pytest.mark.parametrize("strategy", ["DEFAULT", "SPREAD"])
def test_a_pool_inside_a_placement_group_uses_its_cpus_where_no_others_are_free(
    strategy: Any, small_ray: None
):
    group = placement_group([{"CPU": 1}, {"CPU": 0.5}, {"CPU": 0.5}])  # of two: a trial's request
    ray.get(group.ready())

    @ray.remote(num_cpus=1)
    def trial() -> list[int]:
        pool = ActorPool(Counter, members=2, actors=2, num_cpus=0.5, strategy=strategy)
        totals = pool.run([1, 2])
        pool.stop()
        return totals

    where = PlacementGroupSchedulingStrategy(group, 0, placement_group_capture_child_tasks=True)
    try:
        assert ray.get(trial.options(scheduling_strategy=where).remote(), timeout=60) == [1, 1002]
    finally:
        remove_placement_group(group)
