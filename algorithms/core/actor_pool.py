"""A pool of members that work in rounds, in this process or on Ray actors that may die."""

import functools
from collections.abc import Callable, Sequence
from typing import Any, Literal, Protocol

import ray
import torch
from ray.exceptions import ObjectLostError, RayActorError
from ray.util.placement_group import get_current_placement_group
from threadpoolctl import ThreadpoolController

from expedition.algorithms.core.errors import PoolLostError

Strategy = Literal["DEFAULT", "SPREAD"]
_REVIVALS = 10  # of one actor, over its life
_LOST = (RayActorError, ObjectLostError)  # with its node, an actor's finished results are lost too


class Member(Protocol):
    """One of the things a pool runs. What it does may depend only on its state and the request."""

    def run(self, request: Any) -> Any:
        """Work for one round."""
        ...

    def get_state(self) -> Any:
        """Everything the next round depends on."""
        ...

    def round_state(self) -> Any:
        """The same without what its owner can rebuild from the results of the rounds."""
        ...

    def set_state(self, state: Any) -> None:
        """Restore what ``get_state`` returned."""
        ...


class ActorPool:
    """Runs members side by side.

    With ``actors=0`` members live in this process and run one after the other; the numbers are
    the same. Otherwise member i lives on actor i modulo ``actors``, so that a pool may have more
    members than actors. After every round a member's ``round_state`` comes back with its
    result. When an actor dies, a new one gets the last state of its members and does their round
    again: with members as ``Member`` describes them, no number changes.

    Every round runs on one thread, so that results do not depend on how many run at once.

    Args:
        build: Makes member i; called where the member lives.
        members: How many.
        actors: Ray actors to run them on; 0 for this process.
        num_cpus: CPUs of an actor.
        strategy: ``"DEFAULT"``: Ray packs actors onto few nodes; ``"SPREAD"``: over many. Within a
            placement group, such as that of a Tune trial, the group decides.
        record: Told (i, result) when a member's new state is taken, so that what ``recover`` adds
            is of the same round as the state.
        recover: Completes a ``round_state`` for ``set_state``: (i, state) -> state.
    """

    def __init__(
        self,
        build: Callable[[int], Member],
        members: int,
        actors: int = 0,
        num_cpus: float = 1.0,
        strategy: Strategy = "DEFAULT",
        record: Callable[[int, Any], None] | None = None,
        recover: Callable[[int, Any], Any] | None = None,
    ) -> None:
        self.members = members
        self.actors = min(actors, members)
        self.revivals = 0
        self._record = record or (lambda _index, _result: None)
        self._recover = recover or (lambda _index, state: state)
        self._states: list[Any] = [None] * members
        self._finished: list[tuple[int, Any]] = []
        self._pending: dict[ray.ObjectRef, tuple[int, Any, ray.ObjectRef]] = {}
        if self.actors:
            remote = ray.remote(_Host)
            self._make = lambda indices: remote.options(
                num_cpus=num_cpus, scheduling_strategy=_scheduling(strategy)
            ).remote(build, indices)
            self._hosts = [self._make(self._hosted(host)) for host in range(self.actors)]
        else:
            self._local = [build(index) for index in range(members)]

    def run(
        self, requests: Sequence[Any], meanwhile: Callable[[], None] | None = None
    ) -> list[Any]:
        """One round of every member, with a barrier at its end.

        Args:
            requests: One a member.
            meanwhile: What this process does while the actors are at work; it must not touch what
                the members do.

        Returns:
            Results in the order of the members.

        Raises:
            PoolLostError: An actor died again and again.
        """
        for index, request in enumerate(requests):
            self.submit(index, request)
        if meanwhile:
            meanwhile()
        results: list[Any] = [None] * self.members
        for _member in requests:
            index, result = self.wait()
            results[index] = result
        return results

    def submit(self, index: int, request: Any) -> None:
        """Start a round of one member; without actors it runs at once."""
        if not self.actors:
            self._finished.append((index, _on_one_thread(self._local[index].run, request)))
            return
        result, state = self._host(index).run.options(num_returns=2).remote(index, request)
        self._pending[result] = (index, request, state)

    def wait(self) -> tuple[int, Any]:
        """Next finished round: the member's index and result, in order of completion.

        Raises:
            PoolLostError: An actor died again and again.
        """
        if not self.actors:
            index, result = self._finished.pop(0)
            self._record(index, result)
            return index, result
        while True:
            (done,), _ = ray.wait(list(self._pending), num_returns=1)
            index, request, state = self._pending.pop(done)
            try:
                result, new_state = ray.get([done, state])
            except _LOST as error:
                if isinstance(error, RayActorError) and error.actor_init_failed:
                    raise
                self._pending[done] = (index, request, state)
                self._revive(index % self.actors)
                continue
            self._states[index] = new_state
            self._record(index, result)
            return index, result

    def get_states(self) -> list[Any]:
        """Whole states of all members, for a checkpoint; call it between rounds."""
        if not self.actors:
            return [member.get_state() for member in self._local]
        while True:
            try:
                return [ray.get(self._host(i).get_state.remote(i)) for i in range(self.members)]
            except _LOST:
                self._revive_dead()

    def set_states(self, states: Sequence[Any]) -> None:
        """Restore what ``get_states`` returned."""
        if not self.actors:
            for member, state in zip(self._local, states, strict=True):
                member.set_state(state)
            return
        self._states = [None] * self.members  # an actor revived here gets all of it below
        while True:
            try:
                ray.get(
                    [self._host(i).set_state.remote(i, state) for i, state in enumerate(states)]
                )
                break
            except RayActorError:
                self._revive_dead()
        self._states = list(states)

    def stop(self) -> None:
        """Let the actors go."""
        for host in self._hosts if self.actors else []:
            ray.kill(host)

    def _hosted(self, host: int) -> list[int]:
        return list(range(host, self.members, self.actors))

    def _host(self, index: int) -> Any:
        return self._hosts[index % self.actors]

    def _revive_dead(self) -> None:
        for host in range(self.actors):
            try:
                ray.get(self._hosts[host].ping.remote())
            except RayActorError:
                self._revive(host)

    def _revive(self, host: int) -> None:
        """Put a new actor in the place of a dead one and start its members' rounds again."""
        self.revivals += 1
        if self.revivals > _REVIVALS * self.actors:
            raise PoolLostError(
                f"actors of the pool died {self.revivals} times; resume from the last checkpoint"
            )
        ray.kill(self._hosts[host])  # what lost a result may itself be alive, and further on
        self._hosts[host] = self._make(self._hosted(host))
        for index in self._hosted(host):
            if self._states[index] is not None:
                state = self._recover(index, self._states[index])
                self._hosts[host].set_state.remote(index, state)
        lost = [ref for ref, (index, _, _) in self._pending.items() if index in self._hosted(host)]
        for ref in lost:
            index, request, _ = self._pending.pop(ref)
            self.submit(index, request)


class _Host:
    """The actor: holds some of the members."""

    def __init__(self, build: Callable[[int], Member], indices: Sequence[int]) -> None:
        self._members = {index: build(index) for index in indices}

    def run(self, index: int, request: Any) -> tuple[Any, Any]:
        member = self._members[index]
        return _on_one_thread(member.run, request), member.round_state()

    def ping(self) -> None:
        """Answer."""

    def get_state(self, index: int) -> Any:
        return self._members[index].get_state()

    def set_state(self, index: int, state: Any) -> None:
        self._members[index].set_state(state)


def _scheduling(strategy: Strategy) -> str | None:
    # Ray looks for CPUs inside the surrounding placement group only where no strategy is named;
    # outside of it there may be none left, ever.
    return None if strategy == "DEFAULT" or get_current_placement_group() else strategy


@functools.cache
def _blas() -> ThreadpoolController:
    return ThreadpoolController()


def _on_one_thread(function: Callable[[Any], Any], request: Any) -> Any:
    # NumPy's BLAS has threads of its own, and rounds differently with another number of them.
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        with _blas().limit(limits=1, user_api="blas"):
            return function(request)
    finally:
        torch.set_num_threads(threads)
