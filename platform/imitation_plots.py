"""Learners beside the expert they imitate: actions over states, and places over time."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from matplotlib.axes import Axes
from matplotlib.collections import LineCollection
from matplotlib.figure import Figure

from expedition.platform.first_arrays import Arrays, first_of
from expedition.platform.plot_schema import Plot
from expedition.platform.results import Run
from expedition.platform.style import INK, colours

EXPERT_ACTIONS, EXPERT_PATHS = "expert_actions", "expert_paths"
PANEL_IN = (1.9, 1.9)  # inches: width and height of a panel
SHOWN_ACTIONS = 2000  # dots in a panel; more would be a blot
SHOWN_PATHS = 30  # lines in a panel

_Show = Callable[[Axes, np.ndarray, str], None]


def draw_actions(run: Run, plot: Plot) -> Figure | None:
    """Draw actions over states: the expert, then a panel a variant.

    Args:
        run: The run; of each variant its first trial that has the array is shown.
        plot: Which array ``[n, 1 + action]``, a state and the action in it, whose first coordinate
            is shown; ``expert_actions`` of that form stands beside it.

    Returns:
        The figure, or nothing when no trial has the array.
    """
    return _draw(run, plot, EXPERT_ACTIONS, _show_actions)


def draw_over_time(run: Run, plot: Plot) -> Figure | None:
    """Draw places over time: the expert where it is known, then a panel a variant.

    Args:
        run: The run; of each variant its first trial that has the array is shown.
        plot: Which array ``[1, episodes, T, 2]`` of times and places; ``expert_paths`` of that form
            may stand beside it.

    Returns:
        The figure, or nothing when no trial has the array.
    """
    return _draw(run, plot, EXPERT_PATHS, _show_over_time)


def _draw(run: Run, plot: Plot, of_expert: str, show: _Show) -> Figure | None:
    """Lay out a row a task, the expert's panel first, all with the same axes."""
    experiment = run.experiment
    (name,) = plot.arrays
    rows: list[dict[str, Arrays]] = []
    for task in experiment.tasks:
        found = {variant: first_of(run, name, task, variant) for variant in experiment.variants}
        if any(found.values()):
            rows.append({variant: content for variant, content in found.items() if content})
    if not rows:
        return None
    shown = [variant for variant in experiment.variants if any(variant in row for row in rows)]
    has_expert = any(of_expert in content for row in rows for content in row.values())
    columns = len(shown) + has_expert
    size = (max(3.2, PANEL_IN[0] * columns + 0.5), PANEL_IN[1] * len(rows) + 0.4)
    figure = Figure(figsize=size, layout="constrained")
    grid = figure.subplots(len(rows), columns, squeeze=False, sharex=True, sharey=True)
    palette = colours(experiment)
    for row, panels in zip(rows, grid, strict=True):
        some = next((content for content in row.values() if of_expert in content), None)
        if some is not None:
            show(panels[0], some[of_expert], INK)
        for variant, axes in zip(shown, panels[has_expert:], strict=True):
            if variant in row:
                show(axes, row[variant][name.rpartition("/")[2]], palette[variant])
        panels[0].set_ylabel(plot.y_label)
    titles = ["expert"] * has_expert + [experiment.label(variant) for variant in shown]
    for axes, title in zip(grid[0], titles, strict=True):
        axes.set_title(title, loc="center", fontsize=9)
    for axes in grid[-1]:
        axes.set_xlabel(plot.x_label)
    return figure


def _show_actions(axes: Axes, pairs: np.ndarray, colour: str) -> None:
    x, y = pairs[:: -(-len(pairs) // SHOWN_ACTIONS), :2].T
    axes.scatter(x, y, s=2.0, color=colour, alpha=0.35, linewidths=0)
    axes.set_ylim(-1.08, 1.08)  # what leaves the bounds is clipped before it acts


def _show_over_time(axes: Axes, paths: np.ndarray, colour: str) -> None:
    lines = paths.reshape(-1, *paths.shape[-2:])
    lines = lines[:: -(-len(lines) // SHOWN_PATHS)]
    axes.add_collection(LineCollection(list(lines), colors=colour, linewidths=0.6, alpha=0.6))
    axes.autoscale_view()
