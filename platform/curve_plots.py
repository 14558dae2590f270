"""Learning curves: one panel a task, the mean over seeds with its band."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.transforms import Bbox

from expedition.platform import scores as scoring
from expedition.platform import statistics
from expedition.platform.plot_schema import Plot
from expedition.platform.results import Run
from expedition.platform.style import DASHED, colours, legend, line_handle, steps_axis, value_axis

PANEL_IN = (3.1, 2.35)  # inches: width and height of a panel
COLUMNS = 3  # panels in a row
FLAT = 4  # a panel is flat that fills less than one part in so many of a common scale


def draw(run: Run, plot: Plot) -> Figure | None:
    """Draw learning curves over environment steps.

    Args:
        run: The run; unfinished trials are drawn as far as they got.
        plot: What to plot.

    Returns:
        The figure, or nothing when no trial measured the metric.
    """
    experiment = run.experiment
    metric = experiment.metrics[str(plot.metric)]
    data = scoring.at_best_points(run, scoring.curves(run, metric))
    if data.empty:
        return None
    palette = colours(experiment)
    tasks = [task for task in experiment.tasks if (data["task"] == task).any()]
    shown = [name for name in experiment.variants if (data["variant"] == name).any()]
    figure, panels = task_panels(len(tasks))
    for axes, task in zip(panels, tasks, strict=True):
        for variant in shown:
            chosen = data[(data["task"] == task) & (data["variant"] == variant)]
            if not chosen.empty:
                _curve(axes, chosen, palette[variant], experiment.variants[variant].reference)
        steps_axis(axes)
        if len(tasks) > 1:
            axes.set_title(task)
    share_values(panels)
    for axes in panels[::COLUMNS]:
        value_axis(axes, metric.axis_label)
    handles = [
        line_handle(experiment.label(v), palette[v], experiment.variants[v].reference)
        for v in shown
    ]
    legend(figure, handles)
    return figure


def task_panels(count: int) -> tuple[Figure, list[Axes]]:
    """Make a row of panels, or several, with a common horizontal axis; ``COLUMNS`` in a row."""
    columns = min(COLUMNS, count)
    rows = -(-count // columns)
    size = (max(4.6, PANEL_IN[0] * columns), PANEL_IN[1] * rows + 0.4)
    figure = Figure(figsize=size, layout="constrained")
    grid = figure.subplots(rows, columns, squeeze=False, sharex=True)
    panels = list(grid.flat)
    for axes in panels[count:]:
        axes.remove()
    return figure, panels[:count]


def share_values(panels: Sequence[Axes]) -> None:
    """Draw panels to one vertical scale, unless one of them would be flat on it.

    Args:
        panels: Of `task_panels`, with all that they show.
    """
    whole = Bbox.union([axes.dataLim for axes in panels]).height
    if min(axes.dataLim.height for axes in panels) < whole / FLAT:
        return
    for place, axes in enumerate(panels[1:], start=1):
        axes.sharey(panels[0])
        axes.tick_params(labelleft=place % COLUMNS == 0)  # the first of a row speaks for it
    panels[0].autoscale_view(scalex=False)


def _curve(axes: Axes, data: pd.DataFrame, colour: str, reference: bool) -> None:
    """Draw one variant: mean and band; a reference as a thin dashed line over a faint band."""
    seeds = [
        (seed["env_steps"].to_numpy(float), seed["value"].to_numpy(float))
        for _, seed in data.groupby("seed")
    ]
    grid, curves_RE = statistics.on_grid(seeds)
    mean, low, high = statistics.band(curves_RE)
    style = dict(DASHED) if reference else {}
    if len(grid) == 1:  # one iteration so far: a line would not show
        style["marker"] = "o"
    axes.plot(grid, mean, color=colour, zorder=2 if reference else 3, **style)
    if len(seeds) > 1 and np.any(high > low):
        alpha = 0.09 if reference else 0.17
        axes.fill_between(grid, low, high, color=colour, alpha=alpha, linewidth=0, zorder=1)
