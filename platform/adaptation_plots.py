"""How methods explore before they adapt to a task, and what they then know of it."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from matplotlib.axes import Axes
from matplotlib.collections import EllipseCollection, LineCollection
from matplotlib.figure import Figure
from matplotlib.transforms import Bbox

from expedition.platform.first_arrays import Arrays, first_by_panel
from expedition.platform.panels import arrange
from expedition.platform.plot_schema import Plot
from expedition.platform.results import Run
from expedition.platform.style import COLOURS, DASHED, INK, QUIET

_STAGES = (("before", "#B6BDC6"), ("after", COLOURS[0]))


def draw_paths(run: Run, plot: Plot) -> Figure | None:
    """Draw paths of episodes, a panel a variant, and the goals where tasks are goals.

    Panels of a row have one scale, so that what methods reach can be compared.

    Args:
        run: The run; of each variant its first trial that has the array is shown.
        plot: Which array ``[tasks, episodes, T, 2]``; ``tasks`` or ``goals`` of shape [goals, 2]
            beside it are goals.

    Returns:
        The figure, or nothing when no trial has the array.
    """
    figure = _draw(run, plot, _show_paths)
    if figure is not None:
        for row in _rows(figure):
            _share_limits(row)
    return figure


def draw_latents(run: Run, plot: Plot) -> Figure | None:
    """Draw the Gaussians of tasks over latents before and after adaptation, and the prior.

    Args:
        run: The run; of each variant its first trial that has the array is shown.
        plot: Which array ``[2, tasks, 2 d]``, before and after, means and log standard deviations;
            the first two dimensions are shown.

    Returns:
        The figure, or nothing when no trial has the array.
    """
    return _draw(run, plot, _show_latents)


def _draw(run: Run, plot: Plot, show: Callable[[Axes, str, Arrays], None]) -> Figure | None:
    found = first_by_panel(run, plot)
    if not found:
        return None
    figure, placed = arrange(run.experiment, list(found), 1.0)
    for panel, content in found.items():
        show(placed[panel], panel.array.rpartition("/")[2], content)
    return figure


def _show_paths(axes: Axes, own: str, content: Arrays) -> None:
    paths = content[own]
    lines = paths.reshape(-1, *paths.shape[2:])
    colours = [COLOURS[index % len(COLOURS)] for index in range(len(lines))]
    axes.add_collection(LineCollection(list(lines), colors=colours, linewidths=0.6, alpha=0.7))
    tasks = content.get("tasks", content.get("goals"))
    if tasks is not None and tasks.shape[1] == 2:
        axes.scatter(tasks[:, 0], tasks[:, 1], s=7, color=INK, marker="x", linewidths=0.7)
    axes.set_aspect("equal", adjustable="datalim")


def _rows(figure: Figure) -> list[list[Axes]]:
    rows: dict[int, list[Axes]] = {}
    for axes in figure.axes:
        place = axes.get_subplotspec()
        assert place is not None
        rows.setdefault(place.rowspan.start, []).append(axes)
    return list(rows.values())


def _share_limits(row: list[Axes]) -> None:
    shown = Bbox.union([axes.dataLim for axes in row])
    for axes in row:
        axes.update_datalim(shown.corners())
        axes.autoscale_view()


def _show_latents(axes: Axes, own: str, content: Arrays) -> None:
    latents = content[own]
    dim = latents.shape[2] // 2
    for (label, colour), stage in zip(_STAGES, latents, strict=True):
        centres, sizes = stage[:, :2], 2 * np.exp(stage[:, dim : dim + 2])
        ellipses = EllipseCollection(
            sizes[:, 0],
            sizes[:, 1],
            np.zeros(len(sizes)),
            units="xy",
            offsets=centres,
            offset_transform=axes.transData,
            facecolors="none",
            edgecolors=colour,
            linewidths=0.6,
        )
        axes.add_collection(ellipses)
        axes.scatter(centres[:, 0], centres[:, 1], s=6, color=colour, label=label, linewidths=0)
    angles = np.linspace(0, 2 * np.pi, 100)
    axes.plot(np.cos(angles), np.sin(angles), color=INK, label="prior", **DASHED)
    reach = 1.05 * (np.abs(latents[..., :2]) + np.exp(latents[..., dim : dim + 2])).max()
    axes.set_xlim(-reach, reach)
    axes.set_ylim(-reach, reach)
    axes.set_aspect("equal")
    axes.legend(loc="upper right", fontsize=7, labelcolor=QUIET, handletextpad=0.4)
