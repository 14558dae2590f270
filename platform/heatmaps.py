"""Where the agents went: visit frequencies on the plane, a row a task and array."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import LogNorm, Normalize
from matplotlib.figure import Figure
from matplotlib.image import AxesImage

from expedition.platform import array_names
from expedition.platform import scores as scoring
from expedition.platform.panels import Panel, arrange
from expedition.platform.plot_schema import Plot
from expedition.platform.results import Run, arrays
from expedition.platform.style import QUIET, visits_colours


@dataclass(frozen=True)
class VisitMap:
    """Visit frequencies of one variant on one task.

    Attributes:
        share: Shape [nx, ny], share of all visits in each cell, mean over seeds.
        extent: ``(left, right, bottom, top)`` in the environment's units.
        seeds: Seeds behind it.
    """

    share: np.ndarray
    extent: tuple[float, float, float, float]
    seeds: int


def draw(run: Run, plot: Plot) -> Figure | None:
    """Draw visit frequencies on one colour scale.

    Args:
        run: The run; trials that wrote no array yet are passed over.
        plot: Which arrays, and whether colours are logarithmic.

    Returns:
        The figure, or nothing when no trial has one of the arrays.
    """
    experiment = run.experiment
    maps = {
        Panel(task, name, variant): visited
        for task in experiment.tasks
        for name in array_names.expand(run, plot.arrays)
        for variant in experiment.variants
        if (visited := visit_map(run, name, task, variant)) is not None
    }
    if not maps:
        return None
    left, right, bottom, top = next(iter(maps.values())).extent
    figure, placed = arrange(experiment, list(maps), (top - bottom) / (right - left))
    norm = _norm([visited.share for visited in maps.values()], plot.log)
    images = [_show(placed[panel], visited, norm) for panel, visited in maps.items()]
    scale = figure.colorbar(images[0], ax=list(placed.values()), shrink=0.75, aspect=30, pad=0.02)
    scale.outline.set_visible(False)
    scale.set_label("share of visits", color=QUIET)
    scale.ax.tick_params(which="both", length=0)
    return figure


def visit_map(run: Run, array: str, task: str, variant: str) -> VisitMap | None:
    """Average the visit frequencies of a variant on a task over its seeds.

    Args:
        run: The run.
        array: Name of the array, e.g. ``train/visits``: counts of shape [nx, ny]. Its neighbours
            ``x_edges`` [nx + 1] and ``y_edges`` [ny + 1] give the extent.
        task: Name of the task.
        variant: Name of the variant.

    Returns:
        The map, or nothing when no seed has visits. Each seed counts the same.
    """
    trials = scoring.at_best_points(run, run.trials)
    chosen = trials[(trials["task"] == task) & (trials["variant"] == variant)]
    found = [arrays(run, array, folder) for folder in chosen["folder"] if folder]
    name = array.rpartition("/")[2]
    seeds = [content for content in found if content and content[name].sum() > 0]
    if not seeds:
        return None
    share = np.mean([content[name] / content[name].sum() for content in seeds], axis=0)
    first = seeds[0]
    edges = [
        first.get(f"{axis}_edges", np.arange(n + 1))
        for axis, n in zip("xy", share.shape, strict=True)
    ]
    (left, right), (bottom, top) = ((float(e[0]), float(e[-1])) for e in edges)
    return VisitMap(share, (left, right, bottom, top), len(seeds))


def _norm(shares: list[np.ndarray], log: bool) -> Normalize:
    """Make a colour scale common to all maps, over the cells that were visited."""
    visited = np.concatenate([share[share > 0] for share in shares])
    if not log:
        return Normalize(0, float(visited.max()))
    low, high = float(visited.min()), float(visited.max())
    return LogNorm(low, max(high, low * 10))


def _show(axes: Axes, visited: VisitMap, norm: Normalize) -> AxesImage:
    """Draw one map; cells never visited stay white."""
    masked = np.ma.masked_equal(visited.share, 0)
    # Arrays are indexed [x, y]; an image's rows are y.
    return axes.imshow(
        masked.T, origin="lower", extent=visited.extent, norm=norm, cmap=visits_colours(),
        interpolation="nearest", aspect="equal",
    )  # fmt: skip
