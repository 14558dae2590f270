"""Final scores: grouped bars with intervals, every seed as a dot, references as dashed lines."""

from __future__ import annotations

import textwrap

import numpy as np
import pandas as pd
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from expedition.platform import scores as scoring
from expedition.platform import statistics
from expedition.platform.plot_schema import Plot
from expedition.platform.results import Run
from expedition.platform.spec import Experiment
from expedition.platform.style import (
    DASHED,
    INK,
    REFERENCE,
    colours,
    legend,
    line_handle,
    mark_handle,
    shades,
    square_handle,
    value_axis,
)

GROUP_WIDTH = 0.8  # of the distance between two groups
LABEL_WRAP = 12  # characters of a line below a group


def draw(run: Run, plot: Plot) -> Figure | None:
    """Draw the scores of finished trials.

    Args:
        run: The run.
        plot: What to plot, and what to group by.

    Returns:
        The figure, or nothing when no finished trial has a score.
    """
    if plot.metrics:
        return _draw_metrics(run, plot)
    experiment = run.experiment
    metric = experiment.metrics[str(plot.metric)]
    data = scoring.at_best_points(run, scoring.table(run, metric))
    if data.empty:
        return None
    tasks = [task for task in experiment.tasks if (data["task"] == task).any()]
    ranked = [
        n for n, v in experiment.variants.items() if not v.reference and n in set(data["variant"])
    ]
    groups, members = (tasks, ranked) if plot.by == "task" else (ranked, tasks)
    size = (min(9.3, max(5.6, 1.2 + 0.4 * len(groups) * (len(members) + 1))), 3.0)
    figure = Figure(figsize=size, layout="constrained")
    axes = figure.subplots()
    if plot.by == "task":
        handles = _by_task(axes, experiment, plot, data, tasks, ranked)
    else:
        handles = _by_variant(axes, experiment, data, tasks, ranked)
    if handles:
        legend(figure, handles)
    value_axis(axes, metric.axis_label)
    _finish_axes(axes, len(groups))
    return figure


def _draw_metrics(run: Run, plot: Plot) -> Figure | None:
    """Draw several metrics side by side: a panel a task, a group a variant, a bar a metric."""
    experiment = run.experiment
    tables = {
        name: scoring.at_best_points(run, scoring.table(run, experiment.metrics[name]))
        for name in plot.metrics
    }
    data = pd.concat([table.assign(metric=name) for name, table in tables.items()])
    if data.empty:
        return None
    tasks = [task for task in experiment.tasks if (data["task"] == task).any()]
    variants = [name for name in experiment.variants if (data["variant"] == name).any()]
    palette, places = shades(plot.metrics), _places(len(plot.metrics))
    width = 1.2 + 0.32 * len(variants) * (len(plot.metrics) + 1)
    figure = Figure(figsize=(min(9.3, max(4.8, width * len(tasks))), 3.0), layout="constrained")
    panels = figure.subplots(1, len(tasks), squeeze=False, sharey=True)[0]
    for axes, task in zip(panels, tasks, strict=True):
        for group, variant in enumerate(variants):
            for name, place in zip(plot.metrics, places, strict=True):
                values = _values(tables[name], task, variant)
                _bar(axes, values, group + place, palette[name], len(places))
        _finish_axes(axes, len(variants))
        axes.set_xticks(range(len(variants)), _labels(experiment, variants))
        axes.set_title(task if len(tasks) > 1 else "")
    value_axis(panels[0], plot.y_label or experiment.metrics[plot.metrics[0]].axis_label)
    names = {name: experiment.metrics[name].axis_label for name in plot.metrics}
    legend(figure, [square_handle(names[name], palette[name]) for name in plot.metrics])
    return figure


def _finish_axes(axes: Axes, groups: int) -> None:
    axes.set_xlim(-0.5, groups - 0.5)
    axes.grid(axis="x", visible=False)
    axes.tick_params(axis="x", length=0)
    axes.axhline(0, color="#B6BDC6", linewidth=0.8, zorder=1)


def _by_task(
    axes: Axes,
    experiment: Experiment,
    plot: Plot,
    data: pd.DataFrame,
    tasks: list[str],
    ranked: list[str],
) -> list[Artist]:
    """Draw a group a task and a bar a variant; return the legend's entries."""
    palette, places = colours(experiment), _places(len(ranked))
    for group, task in enumerate(tasks):
        for variant, place in zip(ranked, places, strict=True):
            _bar(axes, _values(data, task, variant), group + place, palette[variant], len(ranked))
    handles: list[Artist] = [
        square_handle(experiment.label(name), palette[name]) for name in ranked
    ]
    references = [name for name, v in experiment.variants.items() if v.reference]
    for name in references:
        if _reference(axes, data, tasks, name):
            handles.append(line_handle(experiment.label(name), REFERENCE, reference=True))
    if _paper_marks(axes, experiment, plot, tasks, ranked):
        handles.append(mark_handle("the paper"))
    axes.set_xticks(range(len(tasks)), tasks if len(tasks) > 1 else [""])
    return handles


def _by_variant(
    axes: Axes, experiment: Experiment, data: pd.DataFrame, tasks: list[str], ranked: list[str]
) -> list[Artist]:
    """Draw a group a variant and a bar a task; return the legend's entries."""
    palette, places = shades(tasks), _places(len(tasks))
    for group, variant in enumerate(ranked):
        for task, place in zip(tasks, places, strict=True):
            colour = palette[task] if len(tasks) > 1 else colours(experiment)[variant]
            _bar(axes, _values(data, task, variant), group + place, colour, len(tasks))
    handles: list[Artist] = [square_handle(task, palette[task]) for task in tasks]
    if len(tasks) == 1:
        handles = []
    for name, declared in experiment.variants.items():
        if declared.reference and len(tasks) == 1:
            values = _values(data, tasks[0], name)
            if len(values):
                axes.axhline(values.mean(), color=REFERENCE, **DASHED)
                handles.append(line_handle(experiment.label(name), REFERENCE, reference=True))
    axes.set_xticks(range(len(ranked)), _labels(experiment, ranked))
    return handles


def _labels(experiment: Experiment, variants: list[str]) -> list[str]:
    """Return what is written below the groups of variants."""
    return [textwrap.fill(experiment.label(name), LABEL_WRAP) for name in variants]


def _places(count: int) -> np.ndarray:
    """Return the centres of a group's bars, relative to the group's."""
    return (np.arange(count) - (count - 1) / 2) * GROUP_WIDTH / max(count, 1)


def _values(data: pd.DataFrame, task: str, variant: str) -> np.ndarray:
    chosen = (data["task"] == task) & (data["variant"] == variant)
    return data.loc[chosen, "score"].dropna().to_numpy(float)


def _bar(axes: Axes, values: np.ndarray, place: float, colour: str, count: int) -> None:
    """Draw one bar with its interval and its seeds."""
    if not len(values):
        return
    width = GROUP_WIDTH / max(count, 1)
    estimate = statistics.interval(values[:, None])
    axes.bar(place, estimate.point, width * 0.88, color=colour, alpha=0.8, linewidth=0, zorder=2)
    axes.vlines(place, estimate.low, estimate.high, color=INK, linewidth=1.4, zorder=4)
    # Seeds stand beside one another so that equal scores stay visible.
    spread = np.linspace(-0.24, 0.24, len(values)) * width if len(values) > 1 else np.zeros(1)
    axes.plot(
        place + spread, values, "o", color=colour, markeredgecolor="white", markeredgewidth=0.7,
        markersize=4.2, zorder=3, clip_on=False,
    )  # fmt: skip


def _reference(axes: Axes, data: pd.DataFrame, tasks: list[str], name: str) -> bool:
    """Draw a reference's mean across each group; return whether there was any."""
    drawn = False
    for group, task in enumerate(tasks):
        values = _values(data, task, name)
        if len(values):
            reach = GROUP_WIDTH / 2 + 0.06
            axes.hlines(
                values.mean(), group - reach, group + reach, color=REFERENCE, zorder=5, **DASHED,
            )  # fmt: skip
            drawn = True
    return drawn


def _paper_marks(
    axes: Axes, experiment: Experiment, plot: Plot, tasks: list[str], ranked: list[str]
) -> bool:
    """Mark the paper's numbers, where claims on this metric give them."""
    places = dict(zip(ranked, _places(len(ranked)), strict=True))
    marks = {
        (group + places[variant] - 0.34 * GROUP_WIDTH / len(ranked), value)
        for claim in experiment.claims
        if claim.metric == plot.metric
        for variant, value in claim.paper_values.items()
        if variant in places
        for group, task in enumerate(tasks)
        if claim.tasks is None or task in claim.tasks
    }
    for place, value in marks:
        axes.plot(place, value, "D", color="white", markeredgecolor=INK, markersize=5.5, zorder=6)
    return bool(marks)
