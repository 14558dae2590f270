"""Arrays of single trials: for figures of what one policy does, of which a mean shows nothing."""

from __future__ import annotations

import numpy as np

from expedition.platform import array_names
from expedition.platform import scores as scoring
from expedition.platform.panels import Panel
from expedition.platform.plot_schema import Plot
from expedition.platform.results import Run, arrays

Arrays = dict[str, np.ndarray]


def first_by_panel(run: Run, plot: Plot) -> dict[Panel, Arrays]:
    """Read the arrays of a plot by task, array and variant; a panel without any is left out.

    Args:
        run: The run.
        plot: Which arrays; see `first_of` for whose.
    """
    return {
        Panel(task, name, variant): content
        for task in run.experiment.tasks
        for name in array_names.expand(run, plot.arrays)
        for variant in run.experiment.variants
        if (content := first_of(run, name, task, variant))
    }


def first_of(run: Run, name: str, task: str, variant: str) -> Arrays:
    """Read an array and its neighbours, of the first seed of a variant that has them."""
    trials = scoring.at_best_points(run, run.trials)
    chosen = trials[(trials["task"] == task) & (trials["variant"] == variant)]
    for folder in chosen["folder"]:
        if folder and (content := arrays(run, name, folder)):
            return content
    return {}
