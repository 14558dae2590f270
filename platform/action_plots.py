"""Samples of a policy over the contours of the optimal one."""

from __future__ import annotations

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from expedition.platform.first_arrays import Arrays, first_by_panel
from expedition.platform.panels import arrange
from expedition.platform.plot_schema import Plot
from expedition.platform.results import Run
from expedition.platform.style import COLOURS, INK

OPTIMUM = "optimum"  # covariance of the optimal Gaussian, whose mean is 0
SHOWN = 1000  # actions; spread over all of them; more would hide the contours
DEVIATIONS = (1.0, 2.0)


def draw(run: Run, plot: Plot) -> Figure | None:
    """Draw the last actions of policies, a panel a variant, on axes of the same range.

    Args:
        run: The run; of each variant its first trial that has the array is shown.
        plot: Which array ``[n, 2]`` of actions; ``optimum`` of shape [2, 2] beside it, where there
            is one, is the covariance of the optimal policy.

    Returns:
        The figure, or nothing when no trial has any action.
    """
    found = {
        panel: content
        for panel, content in first_by_panel(run, plot).items()
        if len(content[_own(panel.array)])
    }
    if not found:
        return None
    figure, placed = arrange(run.experiment, list(found), 1.0)
    reach = max(_reach(content, _own(panel.array)) for panel, content in found.items())
    for panel, content in found.items():
        _show(placed[panel], content, _own(panel.array), reach)
    return figure


def _own(array: str) -> str:
    return array.rpartition("/")[2]


def _reach(content: Arrays, own: str) -> float:
    """Return how far from 0 all but the outermost actions and the outer contour lie."""
    contour = DEVIATIONS[-1] * np.sqrt(np.diag(content[OPTIMUM])) if OPTIMUM in content else [0.0]
    return float(1.15 * max(np.quantile(np.abs(content[own]), 0.99), *contour))


def _show(axes: Axes, content: Arrays, own: str, reach: float) -> None:
    actions = content[own]
    x, y = actions[:: -(-len(actions) // SHOWN), :2].T
    axes.scatter(x, y, s=2.5, color=COLOURS[0], alpha=0.45, linewidths=0)
    if OPTIMUM in content:
        for deviations in DEVIATIONS:
            ellipse = deviations * contour(content[OPTIMUM])
            axes.plot(*ellipse, color=INK, linewidth=0.8)
    axes.set_xlim(-reach, reach)
    axes.set_ylim(-reach, reach)
    axes.set_aspect("equal")


def contour(covariance: np.ndarray, points: int = 100) -> np.ndarray:
    """Return the ellipse of one standard deviation of a Gaussian of mean 0.

    Args:
        covariance: Shape [2, 2].
        points: Number of points around it.

    Returns:
        Shape [2, points]; every column c has c' covariance^-1 c = 1.
    """
    angles = np.linspace(0.0, 2 * np.pi, points)
    return np.linalg.cholesky(covariance) @ np.stack([np.cos(angles), np.sin(angles)])
