"""What a sweep maximises or minimises: the headline metric of a trial, as far as it has got."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Literal

import numpy as np

from expedition.platform.schema import Metric, Statistic
from expedition.platform.scores import summarise


@dataclass(frozen=True)
class Objective:
    """A statistic of the curve of one metric key.

    Attributes:
        key: Curated metric key.
        statistic: See `expedition.platform.schema.Metric`.
        higher_is_better: Direction.
        stage: Stage that it is about; ``None`` where there are none.
    """

    key: str
    statistic: Statistic
    higher_is_better: bool
    stage: str | None = None

    @classmethod
    def from_metric(cls, metric: Metric) -> Objective:
        """Take a metric of an experiment as the objective; one with stages must name its own."""
        return cls(metric.key, metric.statistic, metric.higher_is_better, metric.stage)

    @property
    def mode(self) -> Literal["max", "min"]:
        """Tune's name for the direction."""
        return "max" if self.higher_is_better else "min"

    @property
    def worst(self) -> float:
        """What a failed trial scores: searchers and schedulers accept infinities, not NaN."""
        return -math.inf if self.higher_is_better else math.inf

    def of(self, rows: Sequence[Mapping[str, Any]], *, failed: bool = False) -> float:
        """Score a trial by its rows so far.

        Args:
            rows: Curated rows in order.
            failed: Whether the trial failed.

        Returns:
            The statistic, or `worst` for a failed trial and one that has not reported the key.
        """
        curve = [
            (row["env_steps"], row[self.key])
            for row in rows
            if row.get("stage") == self.stage
            and row.get(self.key) is not None
            and math.isfinite(row[self.key])
        ]
        if failed or not curve:
            return self.worst
        steps, values = np.array(curve).T
        return float(summarise(steps, values, self.statistic))

    def to_dict(self) -> dict[str, Any]:
        """Give the constructor's arguments, for a Tune configuration."""
        return asdict(self)
