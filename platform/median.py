"""The median stopping rule for the points of a sweep, which may hold several seeds each."""

from __future__ import annotations

import math
from bisect import bisect_right
from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from expedition.platform.groups import point_of
from expedition.platform.objective import Objective
from expedition.platform.plan import Trial
from expedition.platform.stopping import PointStopping, over_seeds


class MedianRule(PointStopping):
    """Stops a trial whose point, at its best, is below the median of what the others were so far.

    A point is as good as the interquartile mean over its seeds that have come as far as the trial:
    of their best values for the point that is judged, of their running means for the others. With
    one seed a point this is Tune's ``MedianStoppingRule``, but nothing is paused to hurry others
    along.

    Source: Golovin et al. 2017, "Google Vizier: A Service for Black-Box Optimization", section
    3.2.2.

    Args:
        metric: Key of a result to judge by, comparable between seeds.
        mode: ``max`` or ``min``.
        grace: Environment steps before a trial may be stopped, and before means begin.
        least: Other points that must have come as far before a median means something.
    """

    def __init__(self, *, metric: str, mode: str, grace: int, least: int) -> None:
        super().__init__(metric=metric, mode=mode)
        self._grace = grace
        self._least = least
        self._curves: defaultdict[str, defaultdict[str, _Curve]] = defaultdict(
            lambda: defaultdict(lambda: _Curve(grace))
        )

    def record(self, point: str, seed: str, env_steps: int, value: float) -> bool:
        """Take in how good a seed of a point is; see `PointStopping.record`."""
        curve = self._curves[point][seed]
        if env_steps <= curve.env_steps:
            return True  # made again after a restart
        curve.add(env_steps, self._sign * value)
        if env_steps < self._grace:
            return True
        means = [self._mean(other, env_steps) for other in self._curves if other != point]
        others = [mean for mean in means if math.isfinite(mean)]
        if len(others) < self._least:
            return True
        return not self._best(point, env_steps) < np.median(others)

    def _best(self, point: str, env_steps: int) -> float:
        return over_seeds([curve.best(env_steps) for curve in self._seeds(point, env_steps)])

    def _mean(self, point: str, env_steps: int) -> float:
        seeds = self._seeds(point, env_steps)
        return over_seeds([curve.mean(env_steps) for curve in seeds]) if seeds else math.nan

    def _seeds(self, point: str, env_steps: int) -> list[_Curve]:
        """List the seeds of a point that have come this far."""
        return [curve for curve in self._curves[point].values() if curve.env_steps >= env_steps]

    def recall(self, trial: Trial, rows: Sequence[Mapping[str, Any]], objective: Objective) -> None:
        """Take in a trial of an earlier launch; see `PointStopping.recall`."""
        point, seed = point_of({"trial": trial.id})
        for made, row in enumerate(rows, start=1):
            self.record(point, seed, row["env_steps"], objective.of(rows[:made]))


class _Curve:
    """How good a trial was at its results: its best so far, and its mean since the grace.

    Args:
        grace: Environment steps before the mean begins.
    """

    def __init__(self, grace: int) -> None:
        self.env_steps = 0
        self._grace = grace
        self._steps: list[int] = []
        self._bests: list[float] = []
        self._mean_steps: list[int] = []
        self._sums: list[float] = []

    def add(self, env_steps: int, value: float) -> None:
        """Append a value; larger is better."""
        self.env_steps = env_steps
        self._steps.append(env_steps)
        self._bests.append(max(value, self._bests[-1]) if self._bests else value)
        if env_steps >= self._grace and math.isfinite(value):
            self._mean_steps.append(env_steps)
            self._sums.append(value + (self._sums[-1] if self._sums else 0.0))

    def best(self, env_steps: int) -> float:
        """The best value until then."""
        return self._bests[bisect_right(self._steps, env_steps) - 1]

    def mean(self, env_steps: int) -> float:
        """The mean until then; minus infinity where nothing was measured."""
        count = bisect_right(self._mean_steps, env_steps)
        return self._sums[count - 1] / count if count else -math.inf
