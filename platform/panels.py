"""Small panels of a map or a scatter: who is where, and what is written beside."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence
from typing import NamedTuple

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from expedition.platform import array_names
from expedition.platform.spec import Experiment

PANEL_IN = 1.75  # inches: width of a panel
WRAP = 4  # panels in a row, where one variant has many
TITLE_WRAP = 20  # characters of a title's line: as wide as a panel


class Panel(NamedTuple):
    """What one panel shows: an array of a variant on a task."""

    task: str
    array: str
    variant: str


def arrange(
    experiment: Experiment, panels: Sequence[Panel], height: float
) -> tuple[Figure, dict[Panel, Axes]]:
    """Lay panels out: a row a task and array, a column a variant.

    Many arrays of one variant, such as its skills, are laid out in rows of ``WRAP`` instead.

    Args:
        experiment: Gives the order and the labels.
        panels: What there is to show.
        height: Of a panel, over its width.

    Returns:
        The figure and the axes of each panel, without ticks.
    """
    columns = [v for v in experiment.variants if any(v == p.variant for p in panels)]
    rows = list(dict.fromkeys((p.task, p.array) for p in panels))
    tasks = list(dict.fromkeys(task for task, _ in rows))
    arrays = list(dict.fromkeys(array for _, array in rows))
    wraps = len(columns) == 1 and len(tasks) == 1 and len(rows) > WRAP
    shape = (-(-len(rows) // WRAP), WRAP) if wraps else (len(rows), len(columns))
    tall = PANEL_IN * min(2.0, max(0.5, height))
    lines = max(len(textwrap.wrap(experiment.label(name), TITLE_WRAP)) for name in columns)
    size = (max(3.2, PANEL_IN * shape[1] + 0.8), (tall + 0.1) * shape[0] + 0.15 + 0.15 * lines)
    figure = Figure(figsize=size, layout="constrained")
    grid = figure.subplots(*shape, squeeze=False)
    placed: dict[Panel, Axes] = {}
    for panel in panels:
        row = rows.index((panel.task, panel.array))
        column = columns.index(panel.variant)
        placed[panel] = grid.flat[row] if wraps else grid[row, column]
        if wraps:
            _title(placed[panel], array_names.label(panel.array))
    if not wraps:
        _label_grid(experiment, placed, len(tasks) > 1, len(arrays) > 1)
    for axes in grid.flat:
        if axes in placed.values():
            _bare(axes)
        else:
            axes.set_axis_off()
    return figure, placed


def _label_grid(
    experiment: Experiment, placed: dict[Panel, Axes], several_tasks: bool, several_arrays: bool
) -> None:
    """Write the variant above each column's first panel, task and array left of each row's."""
    titled: set[str] = set()
    labelled: set[tuple[str, str]] = set()
    order = list(experiment.variants)
    for panel, axes in sorted(placed.items(), key=lambda item: order.index(item[0].variant)):
        if (panel.task, panel.array) not in labelled:
            names = [panel.task] * several_tasks
            names += [array_names.label(panel.array)] * several_arrays
            axes.set_ylabel("\n".join(names))
            labelled.add((panel.task, panel.array))
    for panel, axes in placed.items():
        if panel.variant not in titled:
            _title(axes, experiment.label(panel.variant))
            titled.add(panel.variant)


def _title(axes: Axes, text: str) -> None:
    axes.set_title(textwrap.fill(text, TITLE_WRAP), loc="center", fontsize=9)


def _bare(axes: Axes) -> None:
    """Leave only a faint frame."""
    axes.set_xticks([])
    axes.set_yticks([])
    axes.grid(visible=False)
    for spine in axes.spines.values():
        spine.set_visible(True)
        spine.set_color("#E4E7EB")
