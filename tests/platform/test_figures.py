"""Figures: what is drawn, from whole and from partial runs."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from matplotlib import rcParams
from synthetic import experiment, write_run

from expedition.platform import bar_plots, curve_plots, figures, heatmaps, results, style
from expedition.platform.plot_schema import Plot
from expedition.platform.results import Run


@pytest.fixture(scope="module")
def run(tmp_path_factory) -> Run:
    return results.read(write_run(tmp_path_factory.mktemp("r") / "run"))


def test_every_plot_is_drawn_in_both_formats(run: Run, tmp_path: Path) -> None:
    size = rcParams["font.size"]
    drawings = figures.draw_all(run)
    assert [d.slug for d in drawings] == [
        "1-curves-halls",
        "2-bars-halls",
        "3-heatmap-train-visits",
    ]
    assert rcParams["font.size"] == size  # the caller's style is untouched
    for drawing in drawings:
        drawing.save(tmp_path)
        assert (tmp_path / f"{drawing.slug}.png").read_bytes()[:4] == b"\x89PNG"
        assert (tmp_path / f"{drawing.slug}.svg").read_text().startswith("<?xml")
    assert "95 %" in drawings[0].caption
    assert "last half of training" in drawings[1].caption


def test_equal_data_give_equal_files(run: Run) -> None:
    first, second = figures.draw_all(run), figures.draw_all(run)
    assert [d.svg for d in first] == [d.svg for d in second]


def test_curves_have_a_panel_a_task_and_dashed_references(run: Run) -> None:
    figure = curve_plots.draw(run, Plot(kind="curves", metric="halls"))
    assert figure is not None
    assert [axes.get_title(loc="left") or axes.get_title() for axes in figure.axes] == [
        "halls-3",
        "halls-5",
    ]
    lines = figure.axes[0].get_lines()
    assert len(lines) == 4
    assert [line.get_linestyle() for line in lines] == ["-", "-", "-", "--"]
    assert lines[3].get_color() == style.REFERENCE
    mean = run.rows[(run.rows["task"] == "halls-3") & (run.rows["variant"] == "smm")]
    expected = mean.groupby("env_steps")["coverage/halls_window"].mean().to_numpy()
    np.testing.assert_allclose(lines[1].get_ydata(), expected)


def test_panels_have_one_scale_unless_one_would_be_flat_on_it() -> None:
    alike, unlike = (curve_plots.task_panels(2)[1] for _ in range(2))
    for panels, heights in ((alike, (1.0, 0.4)), (unlike, (400.0, 3.0))):
        for axes, height in zip(panels, heights, strict=True):
            axes.plot([0, 1], [0, height])
        curve_plots.share_values(panels)
    assert alike[0].get_ylim() == alike[1].get_ylim()
    assert alike[0].get_ylim()[1] > 1
    assert unlike[0].get_ylim()[1] > 400
    assert 3 < unlike[1].get_ylim()[1] < 4


def test_bars_stand_at_the_mean_with_a_dot_a_seed(run: Run) -> None:
    figure = bar_plots.draw(run, Plot(kind="bars", metric="halls"))
    assert figure is not None
    (axes,) = figure.axes
    bars = axes.patches
    assert len(bars) == 2 * 3  # tasks x ranked variants; the reference is a line
    dots = [line for line in axes.get_lines() if line.get_marker() == "o"]
    assert [len(line.get_ydata()) for line in dots] == [4] * 6
    assert bars[0].get_height() == pytest.approx(np.mean(dots[0].get_ydata()))
    labels = [text.get_text() for text in figure.legends[0].get_texts()]
    assert labels == ["SAC", "SMM", "SM4 (N=3)", "random policy", "the paper"]


def test_bars_by_variant(run: Run) -> None:
    figure = bar_plots.draw(run, Plot(kind="bars", metric="halls", by="variant"))
    assert figure is not None
    labels = [label.get_text() for label in figure.axes[0].get_xticklabels()]
    assert labels == ["SAC", "SMM", "SM4 (N=3)"]


def test_visits_are_shares_averaged_over_seeds(run: Run) -> None:
    visited = heatmaps.visit_map(run, "train/visits", "halls-5", "sm4")
    assert visited is not None
    assert visited.seeds == 4
    assert visited.share.sum() == pytest.approx(1.0)
    assert visited.extent == (-13.0, 13.0, -13.0, 13.0)
    figure = heatmaps.draw(run, Plot(kind="heatmap", array="train/visits", log=True))
    assert figure is not None
    image = next(axes for axes in figure.axes if axes.images).images[0]
    # Cells never visited are left white, and the first index of the array is x.
    first = heatmaps.visit_map(run, "train/visits", "halls-3", "sac")
    assert first is not None
    np.testing.assert_array_equal(image.get_array().mask, first.share.T == 0)


def test_colours_differ_and_references_are_grey(run: Run) -> None:
    chosen = style.colours(run.experiment)
    assert len(set(chosen.values())) == 4
    assert chosen["random"] == style.REFERENCE


def test_partial_runs_draw_what_there_is(tmp_path: Path) -> None:
    path = write_run(tmp_path / "run", experiment(seeds=2))
    shutil.rmtree(path / "trials/halls-5")
    for status in path.rglob("status.json"):
        status.write_text(json.dumps({"state": "running"}))
    for progress in path.rglob("progress.jsonl"):
        progress.write_text(progress.read_text().splitlines()[0] + "\n")
    run = results.read(path)
    # No finished trial has a score, so there are no bars.
    assert [d.slug for d in figures.draw_all(run)] == ["1-curves-halls", "3-heatmap-train-visits"]
    shutil.rmtree(path / "trials")
    assert figures.draw_all(results.read(path)) == []
