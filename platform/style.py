"""How figures look: colours that colour-blind readers tell apart, quiet axes, room for the data."""

from __future__ import annotations

import logging
import textwrap
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from matplotlib import colormaps, rc_context
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.colors import Colormap, LinearSegmentedColormap, to_hex
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch
from matplotlib.ticker import EngFormatter

from expedition.platform.spec import Experiment

# Okabe and Ito 2008, in an order whose neighbours differ in lightness too; yellow is left out,
# it does not show on white. Three of Tol (2021) follow, for experiments of many methods.
COLOURS = (
    "#0072B2", "#D55E00", "#009E73", "#CC79A7", "#56B4E9", "#E69F00", "#4D4D4D",
    "#882255", "#999933", "#44AA99",
)  # fmt: skip
REFERENCE = "#7A7A7A"
INK, QUIET, GRID = "#1F2328", "#59636E", "#E4E7EB"

_LABEL_WIDTH = 30  # characters beside an axis of the usual height

DASHED: dict[str, Any] = {"linestyle": (0, (4, 2)), "linewidth": 1.3}  # of references

_RC = {
    "figure.dpi": 100,
    "savefig.dpi": 200,
    "savefig.facecolor": "white",
    "font.family": "sans-serif",
    "font.sans-serif": ["Inter", "Helvetica Neue", "Helvetica", "Arial", "DejaVu Sans"],
    "font.size": 9,
    "text.color": INK,
    "axes.titlesize": 9.5,
    "axes.titleweight": "semibold",
    "axes.titlelocation": "left",
    "axes.labelcolor": QUIET,
    "axes.edgecolor": "#B6BDC6",
    "axes.linewidth": 0.8,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "axes.axisbelow": True,
    "grid.color": GRID,
    "grid.linewidth": 0.7,
    "xtick.color": QUIET,
    "ytick.color": QUIET,
    "xtick.major.size": 3,
    "ytick.major.size": 0,
    "lines.linewidth": 1.8,
    "lines.solid_capstyle": "round",
    "legend.frameon": False,
    "legend.handlelength": 1.6,
    "svg.fonttype": "path",
    "svg.hashsalt": "expedition",  # equal data give equal files
}


@contextmanager
def styled() -> Iterator[None]:
    """Draw in the house style; the caller's matplotlib settings come back afterwards."""
    # Fonts that are not installed are passed over on purpose; matplotlib would warn for each.
    logger = logging.getLogger("matplotlib.font_manager")
    level = logger.level
    logger.setLevel(logging.ERROR)
    try:
        with rc_context(_RC):
            yield
    finally:
        logger.setLevel(level)


def colours(experiment: Experiment) -> dict[str, str]:
    """Give every variant its colour: grey to references, the palette in order to the others."""
    ranked = [name for name, variant in experiment.variants.items() if not variant.reference]
    chosen = {name: COLOURS[n % len(COLOURS)] for n, name in enumerate(ranked)}
    return {name: chosen.get(name, REFERENCE) for name in experiment.variants}


def visits_colours() -> Colormap:
    """Make the colours of visit frequencies: from pale to dark, so that unseen cells stay white."""
    magma = colormaps["magma_r"]
    shades = [magma(0.06 + 0.9 * n / 255) for n in range(256)]
    return LinearSegmentedColormap.from_list("visits", shades)


def shades(names: Sequence[str]) -> dict[str, str]:
    """Give names in an order (tasks) shades of one colour, from light to dark."""
    ramp = colormaps["Blues"]
    places = [0.35 + 0.55 * n / max(1, len(names) - 1) for n in range(len(names))]
    return {name: to_hex(ramp(place)) for name, place in zip(names, places, strict=True)}


def line_handle(label: str, colour: str, reference: bool) -> Line2D:
    """Make a legend entry for a curve; a reference is dashed."""
    style: dict[str, Any] = DASHED if reference else {}
    return Line2D([], [], color=colour, label=label, **style)


def square_handle(label: str, colour: str) -> Patch:
    """Make a legend entry for a bar."""
    return Patch(facecolor=colour, alpha=0.8, label=label)


def mark_handle(label: str) -> Line2D:
    """Make a legend entry for the paper's numbers."""
    return Line2D(
        [], [], marker="D", linestyle="", color="white", markeredgecolor=INK, markersize=5.5,
        label=label,
    )  # fmt: skip


def legend(figure: Figure, handles: Sequence[Artist]) -> None:
    """Put a legend above the panels, in as few rows as fit the figure's width."""
    columns = max(2, int(figure.get_figwidth() / 1.1))
    figure.legend(
        handles=list(handles), loc="outside upper left", ncols=min(columns, len(handles)),
        borderaxespad=0.2, columnspacing=1.4, handletextpad=0.5,
    )  # fmt: skip


def steps_axis(axes: Axes) -> None:
    """Label the horizontal axis as environment steps, in k and M."""
    axes.set_xlabel("environment steps")
    axes.xaxis.set_major_formatter(EngFormatter(sep=""))
    axes.grid(axis="x", visible=False)


def value_axis(axes: Axes, label: str) -> None:
    """Label the vertical axis, in as many lines as it takes to stay beside the axis."""
    axes.set_ylabel(textwrap.fill(label, _LABEL_WIDTH))
