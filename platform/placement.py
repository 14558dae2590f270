"""Whether a cluster can hold a trial: Tune would wait for an impossible one without a word."""

from __future__ import annotations

import math
import os
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence

from expedition.platform.errors import UserError
from expedition.platform.plan import trial_of
from expedition.platform.resources import request_for
from expedition.platform.spec import Experiment

GROWS_VARIABLE = "EXPEDITION_CLUSTER_GROWS"
KINDS = ("CPU", "GPU")
_STEP = 10_000  # Ray counts resources in ten-thousandths
_LIMIT = 5_000  # steps of a search: about a second's work on a hundred nodes
_Amounts = tuple[int, ...]  # of each kind, in Ray's steps
_Groups = tuple[tuple[_Amounts, int], ...]  # bundles of the same size, and how many
_Free = tuple[_Amounts, ...]  # of each node, sorted
_State = tuple[_Groups, _Free]


def require_room(experiment: Experiment, nodes: Sequence[Mapping[str, float]], place: str) -> None:
    """Refuse trials that the nodes can never hold.

    A cluster with an autoscaler may have none of its nodes yet: ``EXPEDITION_CLUSTER_GROWS=1`` in
    the environment says so, and nothing is judged.

    Args:
        experiment: The resolved experiment.
        nodes: Resources of every living node, whole ones, whoever uses them now.
        place: What the nodes are, for the message.

    Raises:
        UserError: Names what a trial asks for and what there is.
    """
    if os.environ.get(GROWS_VARIABLE, "0") not in ("", "0"):
        return
    for variant in experiment.variants:
        trial = trial_of(experiment, next(iter(experiment.tasks)), variant, experiment.seeds[0])
        bundles = request_for(trial).bundles
        if not fits(bundles, nodes):
            raise UserError(
                f"a trial of {variant} needs {describe(bundles)} and {place} has"
                f" {describe(nodes)}: lower its resources, or its runners and actors"
            )


def fits(bundles: Sequence[Mapping[str, float]], nodes: Sequence[Mapping[str, float]]) -> bool:
    """Whether bundles can be put on nodes, each on one of them, all at the same time.

    Args:
        bundles: Resources of each process of a trial.
        nodes: Resources of each node.

    Example:
        >>> fits([{"CPU": 2}, {"CPU": 2}], [{"CPU": 3}, {"CPU": 1}])
        False
    """
    sizes = Counter(_amounts(bundle) for bundle in bundles)
    groups = tuple(
        sorted(((size, count) for size, count in sizes.items() if any(size)), reverse=True)
    )
    return _place(groups, tuple(sorted(_amounts(node) for node in nodes)))


def _amounts(resources: Mapping[str, float]) -> _Amounts:
    return tuple(round(_STEP * resources.get(kind, 0.0)) for kind in KINDS)


def _place(groups: _Groups, free: _Free) -> bool:
    """Look for places for all groups, the largest bundles first; nodes are sorted.

    Packing bundles of many sizes has no quick answer: a search that takes too long is given up,
    and the request let through, for Ray to judge.
    """
    open_ways: list[Iterator[_State]] = [iter([(groups, free)])]
    seen: set[_State] = set()
    for _ in range(_LIMIT):
        if not open_ways:
            return False
        state = next(open_ways[-1], None)
        if state is None:
            open_ways.pop()
        elif state not in seen:
            seen.add(state)
            if not _may_hold(*state):
                continue
            if len(state[0]) <= 1:
                return True  # equal bundles: counting is placing them
            open_ways.append(_ways(*state))
    return True


def _may_hold(groups: _Groups, free: _Free) -> bool:
    """Whether there is room for each group by itself, and for the sum of all of each kind."""
    for kind in range(len(KINDS)):
        if sum(size[kind] * count for size, count in groups) > sum(node[kind] for node in free):
            return False
    return all(sum(_copies(node, size) for node in free) >= count for size, count in groups)


def _ways(groups: _Groups, free: _Free) -> Iterator[_State]:
    """Put bundles of the first group on one node: the fullest first, as many as it holds."""
    (size, count), *others = groups
    for index, node in enumerate(free):
        if index and node == free[index - 1]:
            continue  # as good as the one just tried
        for copies in range(min(count, _copies(node, size)), 0, -1):
            left = tuple(have - copies * need for have, need in zip(node, size, strict=True))
            rest = ((size, count - copies),) if copies < count else ()
            yield (*rest, *others), tuple(sorted((*free[:index], left, *free[index + 1 :])))


def _copies(node: _Amounts, size: _Amounts) -> int:
    """How many bundles of a size a node holds."""
    return min(have // need for have, need in zip(node, size, strict=True) if need)


def describe(pieces: Sequence[Mapping[str, float]]) -> str:
    """Say in words what several bundles or nodes hold.

    Example:
        >>> describe([{"CPU": 2.0}, {"CPU": 1.0}, {"CPU": 1.0, "GPU": 0}])
        '2 CPUs + 2 x 1 CPU'
    """
    counts = Counter(_in_words(piece) for piece in pieces)
    return " + ".join(f"{n} x {words}" if n > 1 else words for words, n in counts.items())


def _in_words(resources: Mapping[str, float]) -> str:
    present = {kind: resources.get(kind, 0.0) for kind in KINDS}
    words = [
        f"{amount:g} {kind}{'' if math.isclose(amount, 1) else 's'}"
        for kind, amount in present.items()
        if amount
    ]
    return " and ".join(words) or "no CPU"
