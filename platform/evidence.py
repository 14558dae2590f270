"""What a claim's test looks at: one number a seed and task, for each kind of claim.

Shapes: R runs (seeds), T tasks, E points of a curve.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np
import pandas as pd

from expedition.platform import scores as scoring
from expedition.platform.claim_schema import Claim
from expedition.platform.results import Run
from expedition.platform.schema import Metric

NEVER = float("inf")  # env steps to reach a threshold that was not reached

CurveNumber = Callable[[np.ndarray, np.ndarray], float]


@dataclass
class Evidence:
    """Scores and curves of a run's finished trials, each table made once.

    Attributes:
        run: The run.
    """

    run: Run
    _tables: dict[str, pd.DataFrame] = field(default_factory=dict)

    def scores_RT(self, metric: str, variant: str, tasks: Sequence[str]) -> np.ndarray:  # noqa: N802
        """Return a variant's scores of a metric, shape [seeds finished on all the tasks, T]."""
        return scoring.scores_RT(self._score_table(metric), variant, tasks)

    def claimed_RT(  # noqa: N802
        self, claim: Claim, variant: str, tasks: Sequence[str]
    ) -> np.ndarray:
        """Return a variant's scores of its metric in a claim, less ``claim.minus`` if given."""
        if claim.minus is None:
            metric = claim.metric
            if claim.than is not None and variant == claim.variants[1]:
                metric = claim.than
            return self.scores_RT(metric, variant, tasks)
        tables = [self._score_table(name) for name in (claim.metric, claim.minus)]
        both = tables[0].merge(tables[1], on=scoring.IDENTITY, suffixes=("", "_minus"))
        gaps = both.assign(score=both["score"] - both["score_minus"])
        return scoring.scores_RT(gaps, variant, tasks)

    def of_curves_RT(  # noqa: N802
        self, metric: str, variant: str, tasks: Sequence[str], number: CurveNumber
    ) -> np.ndarray:
        """Return a number of each finished trial's curve, shape [seeds on all the tasks, T].

        Args:
            metric: Name of the metric whose key's curve is meant.
            variant: Name of the variant.
            tasks: Tasks, in the order of the columns.
            number: From ``(env_steps [E], values [E])`` to the number.
        """
        definition = self.run.experiment.metrics[metric]
        curves = self._once(
            f"curves {metric}", lambda: scoring.curves(self.run, definition, finished_only=True)
        )
        records = [
            (*identity, number(curve["env_steps"].to_numpy(float), curve["value"].to_numpy(float)))
            for identity, curve in curves[curves["variant"] == variant].groupby(scoring.IDENTITY)
        ]
        table = pd.DataFrame(records, columns=[*scoring.IDENTITY, "score"])
        return scoring.scores_RT(table, variant, tasks)

    def _score_table(self, metric: str) -> pd.DataFrame:
        definition = self.run.experiment.metrics[metric]
        return self._once(f"score {metric}", lambda: scoring.table(self.run, definition))

    def _once(self, name: str, make: Callable[[], pd.DataFrame]) -> pd.DataFrame:
        if name not in self._tables:
            self._tables[name] = scoring.at_best_points(self.run, make())
        return self._tables[name]


def steps_to_reach(threshold: float, metric: Metric) -> CurveNumber:
    """Make the function from a curve to the environment steps at which it first reaches a value.

    Args:
        threshold: In the metric's unit; reached from below, from above if lower is better.
        metric: What is measured.

    Returns:
        Function that gives :data:`NEVER` for a curve that does not reach it.
    """

    def number(steps: np.ndarray, values: np.ndarray) -> float:
        reached = values >= threshold if metric.higher_is_better else values <= threshold
        return float(steps[reached][0]) if reached.any() else NEVER

    return number


def rise(steps: np.ndarray, values: np.ndarray) -> float:
    """Change of a curve over its length along its least-squares line, in the metric's unit.

    Args:
        steps: Shape [E], increasing.
        values: Shape [E].

    Returns:
        Slope times length; 0 for a curve of one point.
    """
    centred = steps - steps.mean()
    spread = float((centred**2).sum())
    return float((centred * values).sum() / spread * (steps[-1] - steps[0])) if spread else 0.0


def rise_over_tasks(scores_RT: np.ndarray) -> np.ndarray:  # noqa: N803
    """Change of each seed's score from the first task to the last along its least-squares line.

    Args:
        scores_RT: Shape [R, T], tasks in the experiment's order.

    Returns:
        Shape [R, 1].
    """
    order = np.arange(scores_RT.shape[1], dtype=float)
    return np.array([[rise(order, row)] for row in scores_RT]).reshape(len(scores_RT), 1)
