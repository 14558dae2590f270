"""Whether a cluster can hold a trial: Tune would wait for an impossible one without a word."""

from __future__ import annotations

import math
import os
from collections import Counter
from collections.abc import Mapping, Sequence
from functools import lru_cache

from expedition.platform.errors import UserError
from expedition.platform.plan import trial_of
from expedition.platform.resources import request_for
from expedition.platform.spec import Experiment

GROWS_VARIABLE = "EXPEDITION_CLUSTER_GROWS"
KINDS = ("CPU", "GPU")
_STEP = 10_000  # Ray counts resources in ten-thousandths
_Amounts = tuple[int, ...]  # of each kind, in Ray's steps


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
    wanted = tuple(sorted((_amounts(bundle) for bundle in bundles), reverse=True))
    return _place(wanted, tuple(sorted(_amounts(node) for node in nodes)))


def _amounts(resources: Mapping[str, float]) -> _Amounts:
    return tuple(round(_STEP * resources.get(kind, 0.0)) for kind in KINDS)


@lru_cache(maxsize=10_000)
def _place(bundles: tuple[_Amounts, ...], free: tuple[_Amounts, ...]) -> bool:
    """Try the largest bundle on every kind of node, the fullest first; nodes are sorted."""
    if not bundles:
        return True
    first, *rest = bundles
    for index, node in enumerate(free):
        if index and node == free[index - 1]:
            continue  # as good as the one just tried
        left = tuple(have - need for have, need in zip(node, first, strict=True))
        if min(left) >= 0:
            after = tuple(sorted((*free[:index], left, *free[index + 1 :])))
            if _place(tuple(rest), after):
                return True
    return False


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
