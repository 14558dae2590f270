"""What Q says of actions at single states, and the actions that a policy draws there."""

from __future__ import annotations

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from expedition.platform import array_names
from expedition.platform.first_arrays import Arrays, first_by_panel
from expedition.platform.panels import arrange
from expedition.platform.plot_schema import Plot
from expedition.platform.results import Run
from expedition.platform.style import COLOURS

LEVELS = 12  # contours in a panel
MARGIN = 0.06  # beyond the bounds, so that actions at them show


def draw(run: Run, plot: Plot) -> Figure | None:
    """Draw contours of Q over actions of two coordinates: a row a state, a column a variant.

    Args:
        run: The run; of each variant its first trial that has the array is shown.
        plot: Which arrays ``[n, n]`` of Q, on a grid of actions from -1 to 1; beside them
            ``actions`` ``[draws, 2]`` of the policy and ``state`` ``[obs]``.

    Returns:
        The figure, or nothing when no trial has one of the arrays.
    """
    found = first_by_panel(run, plot)
    if not found:
        return None
    figure, placed = arrange(run.experiment, list(found), 1.0)
    for panel, content in found.items():
        axes = placed[panel]
        _show(axes, panel.array.rpartition("/")[2], content)
        if axes.get_ylabel():
            place = ", ".join(f"{number:g}" for number in content["state"])
            axes.set_ylabel(axes.get_ylabel().replace(array_names.label(panel.array), f"({place})"))
    return figure


def _show(axes: Axes, own: str, content: Arrays) -> None:
    """Draw one state; every panel has levels of its own, for the scale of Q differs by method."""
    # Arrays are indexed [first, second coordinate]; a contour's rows are the second.
    axes.contour(
        content[own].T, LEVELS, extent=(-1, 1, -1, 1), cmap="viridis", linewidths=0.8, zorder=1
    )
    x, y = content["actions"].T
    axes.scatter(x, y, s=5, color=COLOURS[1], alpha=0.6, linewidths=0, zorder=2)
    axes.set_xlim(-1 - MARGIN, 1 + MARGIN)
    axes.set_ylim(-1 - MARGIN, 1 + MARGIN)
    axes.set_aspect("equal")
