"""The figures of a report, drawn without a display, as PNG and SVG."""

from __future__ import annotations

import io
import re
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from expedition.platform import (
    action_plots,
    adaptation_plots,
    array_curves,
    bar_plots,
    curve_plots,
    goal_plots,
    heatmaps,
    imitation_plots,
    q_plots,
)
from expedition.platform.plot_schema import Plot, PlotKind
from expedition.platform.results import Run
from expedition.platform.store import replacing
from expedition.platform.style import styled

_DRAW: dict[PlotKind, Callable[[Run, Plot], Figure | None]] = {
    "curves": curve_plots.draw,
    "bars": bar_plots.draw,
    "heatmap": heatmaps.draw,
    "array_curve": array_curves.draw,
    "goals": goal_plots.draw,
    "paths": adaptation_plots.draw_paths,
    "latents": adaptation_plots.draw_latents,
    "actions": action_plots.draw,
    "q_contours": q_plots.draw,
    "state_actions": imitation_plots.draw_actions,
    "over_time": imitation_plots.draw_over_time,
}
_CAPTIONS: dict[PlotKind, str] = {
    "curves": "Mean over seeds with a 95 % bootstrap band; references dashed.",
    "bars": (
        "Mean over seeds ({statistic}) with a 95 % bootstrap interval; dots are seeds, dashed "
        "lines references, open diamonds the paper's numbers."
    ),
    "heatmap": "Share of visits in each cell, mean over seeds; cells never visited are white.",
    "array_curve": "Mean over seeds with a 95 % bootstrap band; references dashed.",
    "goals": "A dot a goal, coloured by the episodes it takes to find it, mean over seeds.",
    "paths": "Paths of episodes, and goals as crosses; one seed.",
    "latents": "An ellipse a training task, one standard deviation wide; one seed.",
    "actions": "The last actions; ellipses: one and two deviations of the optimum; one seed.",
    "q_contours": (
        "Contours of Q over actions at the states on the left, with levels of its own in every "
        "panel; dots are draws of the policy; one seed."
    ),
    "state_actions": "Actions over the states the expert was in; one seed.",
    "over_time": "Episodes of the expert and of the last policies; one seed.",
}
_TITLES: dict[PlotKind, str] = {
    "curves": "{subject} during training",
    "bars": "{subject}: scores",
    "heatmap": "Where the agents went ({subject})",
    "array_curve": "{subject}",
    "goals": "Episodes to find each goal ({subject})",
    "paths": "Paths",
    "latents": "Latents of the tasks before and after adaptation",
    "actions": "Actions and the optimal policy",
    "q_contours": "Q and actions at single states",
    "state_actions": "Actions over states",
    "over_time": "Episodes over time",
}
_STATISTICS = {
    "last": "of the last value",
    "last_half_mean": "of the average over the last half of training",
    "mean": "of the average over training",
    "max": "of the largest value",
    "auc": "of the area under the curve over its length",
}


@dataclass(frozen=True)
class Drawing:
    """A figure of the report.

    Attributes:
        slug: File name without suffix.
        title: Heading.
        caption: What the marks mean.
        svg: The figure as SVG text.
        png: The figure as PNG, 200 dots an inch.
    """

    slug: str
    title: str
    caption: str
    svg: str
    png: bytes

    def save(self, folder: Path) -> None:
        """Write ``<slug>.svg`` and ``<slug>.png`` to a folder."""
        for suffix, content in ((".svg", self.svg.encode()), (".png", self.png)):
            with replacing(folder / f"{self.slug}{suffix}") as temporary:
                temporary.write_bytes(content)


def draw_all(run: Run) -> list[Drawing]:
    """Draw the figures that the run's experiment asks for.

    Args:
        run: The run, finished or not.

    Returns:
        The figures for which there are data, in the experiment's order.
    """
    drawings = []
    with styled():
        for number, plot in enumerate(run.experiment.plots, start=1):
            figure = _DRAW[plot.kind](_of_variants(run, plot.variants), plot)
            if figure is not None:
                drawings.append(_finish(figure, run, plot, number))
    return drawings


def _of_variants(run: Run, variants: tuple[str, ...] | None) -> Run:
    """Leave out the data of other variants; colours stay those of the whole experiment."""
    if variants is None:
        return run
    trials, rows = (table[table["variant"].isin(variants)] for table in (run.trials, run.rows))
    return replace(run, trials=trials, rows=rows)


def _finish(figure: Figure, run: Run, plot: Plot, number: int) -> Drawing:
    """Render a figure in both formats."""
    metric = run.experiment.metrics[plot.all_metrics[0]] if plot.all_metrics else None
    subject = " ".join(plot.all_metrics or plot.arrays)
    title = plot.title or _TITLES[plot.kind].format(
        subject=metric.axis_label if metric else ", ".join(plot.arrays)
    )
    caption = _CAPTIONS[plot.kind].format(statistic=_STATISTICS[metric.statistic] if metric else "")
    slug = f"{number}-{plot.kind}-{re.sub(r'[^a-z0-9]+', '-', subject.lower())}"
    FigureCanvasAgg(figure)
    svg, png = io.StringIO(), io.BytesIO()
    # Without a date, equal data give equal files.
    figure.savefig(svg, format="svg", bbox_inches="tight", metadata={"Date": None})
    figure.savefig(png, format="png", bbox_inches="tight")
    return Drawing(slug, title[:1].upper() + title[1:], caption, svg.getvalue(), png.getvalue())
