"""Asynchronous successive halving of the points of a sweep, which may hold several seeds each."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from expedition.platform.groups import point_of
from expedition.platform.objective import Objective
from expedition.platform.plan import Trial
from expedition.platform.stopping import PointStopping, over_seeds


class Halving(PointStopping):
    """ASHA over points: at every rung the best of them go on, one in `factor`.

    A rung holds one value a point, the interquartile mean over its seeds that have come so far.
    A seed that arrives there is stopped when the value of its point, itself included, is below the
    best `1 / factor` of the other points. Nobody waits: a point may still win or lose the rung with
    its later seeds. With one seed a point this is Tune's ``AsyncHyperBandScheduler``.

    Source: Li et al. 2020, "A System for Massively Parallel Hyperparameter Tuning",
    arXiv:1810.05934v5, algorithm 2.

    Args:
        metric: Key of a result to judge by, comparable between seeds.
        mode: ``max`` or ``min``.
        grace: Environment steps before the first rung.
        budget: Environment steps of a whole trial: rungs are below it.
        factor: Of the distances between rungs, and of the points at them.
    """

    def __init__(self, *, metric: str, mode: str, grace: int, budget: int, factor: int) -> None:
        super().__init__(metric=metric, mode=mode)
        self._factor = factor
        rungs = []
        while grace < budget:
            rungs.append(grace)
            grace *= factor
        self._rungs = tuple(reversed(rungs))
        self._values: dict[int, defaultdict[str, dict[str, float]]] = {
            rung: defaultdict(dict) for rung in self._rungs
        }

    def record(self, point: str, seed: str, env_steps: int, value: float) -> bool:
        """Take in how good a seed of a point is; only its first value at a rung is judged.

        See `PointStopping.record`.
        """
        rung = next((rung for rung in self._rungs if env_steps >= rung), None)
        if rung is None or seed in self._values[rung][point]:
            return True
        at_rung = self._values[rung]
        at_rung[point][seed] = self._sign * value
        others = [_worth(seeds) for other, seeds in at_rung.items() if other != point]
        if not others:
            return True
        with np.errstate(invalid="ignore"):  # between infinities: no cutoff, and all go on
            cutoff = np.percentile(others, 100 * (1 - 1 / self._factor))
        return not _worth(at_rung[point]) < cutoff

    def recall(self, trial: Trial, rows: Sequence[Mapping[str, Any]], objective: Objective) -> None:
        """Take in a trial of an earlier launch; see `PointStopping.recall`."""
        point, seed = point_of({"trial": trial.id})
        for rung in reversed(self._rungs):
            made = next((k for k, row in enumerate(rows) if row["env_steps"] >= rung), None)
            if made is not None:
                until = rows[: made + 1]
                self.record(point, seed, until[-1]["env_steps"], objective.of(until))


def _worth(seeds: Mapping[str, float]) -> float:
    return over_seeds(list(seeds.values()))
