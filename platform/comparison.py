"""An estimate against the bound that a claim names, and which side of it the interval lies on."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from expedition.platform.statistics import Interval

Verdict = Literal["confirmed", "contradicted", "inconclusive"]
Relation = Literal[">", ">=", "<="]


@dataclass(frozen=True)
class Comparison:
    """One quantity of a claim against its bound.

    Attributes:
        label: What was measured, e.g. ``SMM - SAC``.
        interval: The estimate.
        relation: ``>``, ``>=`` or ``<=``: how the claim says it lies to the bound.
        bound: The bound, in the estimate's unit.
        verdict: Which side of the bound the whole interval lies on.
    """

    label: str
    interval: Interval
    relation: Relation
    bound: float
    verdict: Verdict

    def __str__(self) -> str:
        return f"{self.label} = {self.interval}, claimed {self.relation} {self.bound:g}"


def compare(label: str, interval: Interval, relation: Relation, bound: float) -> Comparison:
    """Compare a quantity with its bound.

    Args:
        label: What was measured.
        interval: The estimate.
        relation: How the claim says it lies to the bound.
        bound: The bound, in the estimate's unit.

    Returns:
        The comparison with its verdict.
    """
    low, high = interval.low, interval.high
    if relation == "<=":
        holds, fails = high <= bound, low > bound
    else:
        holds, fails = (low > bound if relation == ">" else low >= bound), high < bound
    verdict: Verdict = "confirmed" if holds else "contradicted" if fails else "inconclusive"
    return Comparison(label, interval, relation, bound, verdict)
