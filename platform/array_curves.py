"""Arrays as curves, such as the share of goals found after so many episodes: a panel a task."""

from __future__ import annotations

from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from expedition.platform import array_names, statistics
from expedition.platform import scores as scoring
from expedition.platform.curve_plots import COLUMNS, share_values, task_panels
from expedition.platform.plot_schema import Plot
from expedition.platform.results import Run, arrays
from expedition.platform.style import DASHED, INK, colours, legend, line_handle, value_axis

Curve = tuple[np.ndarray, np.ndarray]

_STYLES = ("-", (0, (1.2, 1.2)), (0, (5, 1.5, 1, 1.5)))  # of the first, second, third array


def draw(run: Run, plot: Plot) -> Figure | None:
    """Draw one-dimensional arrays, a line a variant and array.

    Args:
        run: The run; trials that wrote no array yet are passed over.
        plot: Which arrays, and over what.

    Returns:
        The figure, or nothing when no trial has one of the arrays.
    """
    experiment = run.experiment
    names = array_names.expand(run, plot.arrays)
    found = {
        (task, variant, name): seeds
        for task in experiment.tasks
        for variant in experiment.variants
        for name in names
        if (seeds := curves_of(run, name, plot.x, task, variant))
    }
    if not found:
        return None
    tasks = [task for task in experiment.tasks if any(task == key[0] for key in found)]
    shown = [name for name in experiment.variants if any(name == key[1] for key in found)]
    palette = colours(experiment)
    figure, panels = task_panels(len(tasks))
    for (task, variant, name), seeds in found.items():
        style: dict[str, Any] = {"linestyle": _STYLES[names.index(name) % len(_STYLES)]}
        if experiment.variants[variant].reference:
            style = dict(DASHED)
        _curve(panels[tasks.index(task)], seeds, palette[variant], style)
    for axes, task in zip(panels, tasks, strict=True):
        axes.set_xlabel(plot.x_label or plot.x or "index")
        axes.grid(axis="x", visible=False)
        axes.set_title(task if len(tasks) > 1 else "")
    share_values(panels)
    for axes in panels[::COLUMNS]:
        value_axis(axes, plot.y_label or names[0])
    handles = [
        line_handle(experiment.label(v), palette[v], experiment.variants[v].reference)
        for v in shown
    ]
    if len(names) > 1:
        for name, line in zip(names, _STYLES, strict=False):
            label = array_names.label(name)
            handles.append(Line2D([], [], color=INK, linestyle=line, label=label))
    legend(figure, handles)
    return figure


def curves_of(run: Run, name: str, x: str | None, task: str, variant: str) -> list[Curve]:
    """Read an array of every seed of a variant on a task.

    Args:
        run: The run.
        name: Of the array, of shape [E].
        x: Its neighbour of shape [E] or, edges of its cells, [E + 1]; the index when not given.
        task: Name of the task.
        variant: Name of the variant.

    Returns:
        ``(x [E], array [E])`` of each seed that has it, without points that are not finite.
    """
    trials = scoring.at_best_points(run, run.trials)
    chosen = trials[(trials["task"] == task) & (trials["variant"] == variant)]
    contents = [arrays(run, name, folder) for folder in chosen["folder"] if folder]
    curves = []
    for content in contents:
        if not content or (x is not None and x not in content):
            continue
        values = np.asarray(content[name.rpartition("/")[2]], float)
        places = np.arange(len(values), dtype=float) if x is None else _points(content[x], values)
        finite = np.isfinite(values)
        if finite.any():
            curves.append((places[finite], values[finite]))
    return curves


def _points(x: np.ndarray, values: np.ndarray) -> np.ndarray:
    """Return where values stand: at x or, between edges, in the middle."""
    return (x[:-1] + x[1:]) / 2 if len(x) == len(values) + 1 else np.asarray(x, float)


def _curve(axes: Axes, seeds: list[Curve], colour: str, style: dict[str, Any]) -> None:
    grid, curves_RE = statistics.on_grid(seeds)
    mean, low, high = statistics.band(curves_RE)
    axes.plot(grid, mean, color=colour, zorder=3, **style)
    if len(seeds) > 1 and np.any(high > low):
        axes.fill_between(grid, low, high, color=colour, alpha=0.13, linewidth=0, zorder=1)
