"""Goals on the plane, coloured by how many episodes it takes to find them."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from matplotlib.axes import Axes
from matplotlib.collections import PathCollection
from matplotlib.figure import Figure

from expedition.platform import array_names
from expedition.platform import scores as scoring
from expedition.platform.array_names import GOAL_EPISODES
from expedition.platform.panels import Panel, arrange
from expedition.platform.plot_schema import Plot
from expedition.platform.results import Run, arrays
from expedition.platform.style import QUIET

NOT_FOUND = 100  # episodes that were made
DOT = 5.0  # points squared


class Goals(NamedTuple):
    """Goals of one variant on one task.

    Attributes:
        positions: Shape [G, 2], in the environment's units.
        episodes: Shape [G], to find each, mean over seeds.
    """

    positions: np.ndarray
    episodes: np.ndarray


def draw(run: Run, plot: Plot) -> Figure | None:
    """Draw goals, a panel a variant.

    Args:
        run: The run; trials that wrote no array yet are passed over.
        plot: Which arrays of positions.

    Returns:
        The figure, or nothing when no trial has one.
    """
    experiment = run.experiment
    found = {
        Panel(task, name, variant): goals
        for task in experiment.tasks
        for name in array_names.expand(run, plot.arrays)
        for variant in experiment.variants
        if (goals := goals_of(run, name, task, variant)) is not None
    }
    if not found:
        return None
    some = next(iter(found.values()))
    spans = np.ptp(some.positions, axis=0)
    figure, placed = arrange(experiment, list(found), float(spans[1] / spans[0]))
    dots = [_show(placed[panel], goals) for panel, goals in found.items()]
    scale = figure.colorbar(dots[0], ax=list(placed.values()), shrink=0.75, aspect=30, pad=0.02)
    scale.outline.set_visible(False)
    scale.set_label(f"episodes to find ({NOT_FOUND}: not found)", color=QUIET)
    scale.ax.tick_params(which="both", length=0)
    return figure


def goals_of(run: Run, name: str, task: str, variant: str) -> Goals | None:
    """Read the goals of a variant on a task.

    Args:
        run: The run.
        name: Array of positions, shape [G, 2]; ``goal_episodes`` of shape [G] stands beside it.
        task: Name of the task.
        variant: Name of the variant.

    Returns:
        Goals with the mean over the seeds that have the same positions; nothing without any.
    """
    trials = scoring.at_best_points(run, run.trials)
    chosen = trials[(trials["task"] == task) & (trials["variant"] == variant)]
    contents = [arrays(run, name, folder) for folder in chosen["folder"] if folder]
    own = name.rpartition("/")[2]
    seeds = [content for content in contents if content and GOAL_EPISODES in content]
    if not seeds:
        return None
    positions = seeds[0][own]
    same = [seed[GOAL_EPISODES] for seed in seeds if np.array_equal(seed[own], positions)]
    return Goals(positions, np.mean(same, axis=0))


def _show(axes: Axes, goals: Goals) -> PathCollection:
    x, y = goals.positions.T
    axes.set_aspect("equal")
    return axes.scatter(
        x, y, s=DOT, c=goals.episodes, cmap="viridis_r", vmin=0, vmax=NOT_FOUND, linewidths=0
    )
