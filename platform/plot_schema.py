"""A figure in an experiment's YAML file: what each key takes and means, kind by kind."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar, Literal, Self

from pydantic import model_validator
from pydantic_core import PydanticCustomError

from expedition.platform.errors import nearest
from expedition.platform.schema import Strict

PlotKind = Literal[
    "curves",
    "bars",
    "heatmap",
    "array_curve",
    "goals",
    "paths",
    "latents",
    "actions",
    "q_contours",
    "state_actions",
    "over_time",
]


class Plot(Strict):
    """A figure of the report.

    Attributes:
        kind: See :data:`PlotKind`.
        metric: Metric plotted by curves and bars.
        metrics: Metrics that bars show side by side, instead of ``metric``.
        by: What bars of one metric are grouped by: ``task`` (default) or ``variant``.
        array: Coverage array, e.g. ``train/visits``, or several; ``eval/skill-*/visits`` is one a
            skill. Goals are the array of their positions, beside which ``goal_episodes`` stands.
        x: Neighbour of the array that gives the horizontal axis; its index when not given.
        x_label: Horizontal axis, where it is not given by the kind.
        y_label: Vertical axis likewise, or of bars of several metrics.
        log: Logarithmic colours of a heatmap.
        variants: Variants shown; all when not given.
        title: Heading; made from the metric's label when not given.
    """

    kind: PlotKind
    metric: str | None = None
    metrics: tuple[str, ...] = ()
    by: Literal["task", "variant"] = "task"
    array: str | tuple[str, ...] | None = None
    x: str | None = None
    x_label: str = ""
    y_label: str = ""
    log: bool = False
    variants: tuple[str, ...] | None = None
    title: str = ""

    _keys: ClassVar[Mapping[str, frozenset[str]]] = {
        "curves": frozenset({"metric"}),
        "bars": frozenset({"metric", "metrics", "by", "y_label"}),
        "heatmap": frozenset({"array", "log"}),
        "array_curve": frozenset({"array", "x", "x_label", "y_label"}),
        "goals": frozenset({"array"}),
        "paths": frozenset({"array"}),
        "latents": frozenset({"array"}),
        "actions": frozenset({"array"}),
        "q_contours": frozenset({"array"}),
        "state_actions": frozenset({"array", "x_label", "y_label"}),
        "over_time": frozenset({"array", "x_label", "y_label"}),
    }

    @model_validator(mode="after")
    def _needs(self) -> Self:
        own = self._keys[self.kind]
        needed = "array" if "array" in own else "metric"
        fields = type(self).model_fields.items()
        # Not `model_fields_set`: the file of a resolved experiment gives every default.
        given = {name for name, of in fields if getattr(self, name) != of.default}
        given -= {"kind", "title", "variants"}
        problem = ""
        if not (getattr(self, needed) or (needed == "metric" and self.metrics)):
            problem = f"needs '{needed}'"
        elif self.metric and self.metrics:
            problem = "takes 'metric' or 'metrics', not both"
        elif given - own:
            wrong = min(given - own)
            problem = f"takes no '{wrong}'{nearest(wrong, own)}"
        if problem:
            raise PydanticCustomError(
                "plot",
                "a plot of kind '{kind}' {problem}",
                {"kind": self.kind, "problem": problem},
            )
        return self

    @property
    def arrays(self) -> tuple[str, ...]:
        """The arrays, one or several."""
        return (self.array,) if isinstance(self.array, str) else self.array or ()

    @property
    def all_metrics(self) -> tuple[str, ...]:
        """The metrics, one or several."""
        return self.metrics or ((self.metric,) if self.metric else ())
