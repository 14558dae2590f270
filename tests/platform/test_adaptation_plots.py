"""Figures of exploring paths and of tasks' latents, and the names that experiments give them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from matplotlib.collections import EllipseCollection, LineCollection
from synthetic import DATA, experiment, write_run

from expedition.envs.declared import Declared
from expedition.platform import adaptation_plots, figures
from expedition.platform import results as reading
from expedition.platform.errors import UserError
from expedition.platform.measured import check_arrays, check_metrics
from expedition.platform.plan import trials_of
from expedition.platform.plot_schema import Plot
from expedition.platform.results import Run
from expedition.platform.store import RunFolder

TASKS, EPISODES, STEPS = 6, 3, 10
PLOTS = (
    Plot(kind="paths", array="eval/adapt_paths"),
    Plot(kind="latents", array="eval/latents"),
)


def arrays(seed: int) -> dict[str, np.ndarray]:
    rng = np.random.default_rng(seed)
    angles = np.linspace(0, 2 * np.pi, TASKS, endpoint=False)
    goals = np.stack([np.cos(angles), np.sin(angles)], 1)
    shares = np.linspace(0, 1, STEPS)[:, None]
    paths = goals[:, None, None] * shares + 0.05 * rng.normal(size=(TASKS, EPISODES, STEPS, 2))
    before = np.concatenate([0.2 * goals, np.zeros((TASKS, 2))], 1)
    after = np.concatenate([2.0 * goals, np.full((TASKS, 2), -1.0)], 1)
    return {
        "eval/adapt_paths": paths,
        "eval/tasks": goals,
        "eval/latents": np.stack([before, after]),
    }


@pytest.fixture
def run(tmp_path: Path) -> Run:
    declared = experiment(tasks={"default": {}}, seeds=2, plots=[], claims=[])
    path = write_run(tmp_path / "run", declared)
    for trial in trials_of(declared):
        if trial.variant in ("smm", "sm4"):
            RunFolder(path).trial(trial.id).write_coverage(arrays(trial.seed))
    return reading.read(path)


def test_paths_of_all_methods_are_drawn_to_one_scale(run: Run) -> None:
    first = next(t for t in trials_of(run.experiment) if t.variant == "sm4")
    wide = {name: 3 * array for name, array in arrays(first.seed).items()}
    RunFolder(run.path).trial(first.id).write_coverage(wide)
    figure = adaptation_plots.draw_paths(reading.read(run.path), PLOTS[0])
    assert figure is not None
    left, right = figure.axes
    assert left.get_xlim() == right.get_xlim()
    assert left.get_ylim() == right.get_ylim()
    low, high = right.get_xlim()
    reached = wide["eval/adapt_paths"][..., 0]
    assert low < reached.min()
    assert high > reached.max()


def test_paths_are_a_line_an_episode_with_the_goals_of_the_tasks(run: Run) -> None:
    figure = adaptation_plots.draw_paths(run, PLOTS[0])
    assert figure is not None
    assert [axes.get_title() for axes in figure.axes] == ["SMM", "SM4 (N=3)"]
    lines = next(c for c in figure.axes[0].collections if isinstance(c, LineCollection))
    assert len(lines.get_segments()) == TASKS * EPISODES
    np.testing.assert_allclose(lines.get_segments()[0], arrays(0)["eval/adapt_paths"][0, 0])
    goals = figure.axes[0].collections[1].get_offsets()
    np.testing.assert_allclose(goals, arrays(0)["eval/tasks"])


def test_latents_are_ellipses_one_standard_deviation_wide_before_and_after(run: Run) -> None:
    figure = adaptation_plots.draw_latents(run, PLOTS[1])
    assert figure is not None
    ellipses = [c for c in figure.axes[0].collections if isinstance(c, EllipseCollection)]
    assert len(ellipses) == 2
    np.testing.assert_allclose(ellipses[0].get_widths(), 2.0)
    np.testing.assert_allclose(ellipses[1].get_widths(), 2 * np.exp(-1.0))
    np.testing.assert_allclose(ellipses[1].get_offsets(), arrays(0)["eval/latents"][1, :, :2])
    (prior,) = figure.axes[0].lines
    np.testing.assert_allclose(np.linalg.norm(prior.get_xydata(), axis=1), 1.0)


@pytest.mark.parametrize("plot", PLOTS, ids=lambda plot: plot.kind)
def test_a_report_shows_them_and_leaves_them_out_without_data(run: Run, plot: Plot) -> None:
    declared = run.experiment.model_copy(update={"plots": (plot,)})
    drawings = figures.draw_all(Run(run.path, declared, run.manifest, run.trials, run.rows))
    assert [drawing.slug.split("-")[1] for drawing in drawings] == [plot.kind]
    without = plot.model_copy(update={"variants": ("sac",)})
    declared = run.experiment.model_copy(update={"plots": (without,)})
    assert not figures.draw_all(Run(run.path, declared, run.manifest, run.trials, run.rows))


def test_names_of_adaptation_are_known_and_wrong_ones_are_answered() -> None:
    none = Declared()
    metrics = {"m": {"key": "adapt/return_17"}, "n": {"key": "eval/latents/norm_after"}}
    plots = [
        {"kind": "array_curve", "array": "eval/adapt_reach"},
        *(p.model_dump(include={"kind", "array"}) for p in PLOTS),
    ]
    fine = experiment(metrics=metrics, plots=plots, claims=[])
    check_metrics(fine, none, ".".join)
    check_arrays(fine, none, ".".join)
    wrong = experiment(metrics={"m": {"key": "adapt/retrun_3"}}, plots=[], claims=[])
    with pytest.raises(UserError, match=r"did you mean 'adapt/return_\d'\?"):
        check_metrics(wrong, none, ".".join)
    flat = [{"kind": "paths", "array": "eval/adapt_return"}]
    with pytest.raises(UserError, match=r"of 4 dimensions, .* has 1"):
        check_arrays(experiment(metrics=metrics, plots=flat, claims=[]), none, ".".join)


def test_a_variant_may_have_a_budget_of_its_own() -> None:
    variants = {**DATA["variants"], "sac": {"algorithm": "sac", "budget": 700}}
    declared = experiment(variants=variants)
    budgets = {trial.variant: trial.budget for trial in trials_of(declared)}
    assert budgets == {"sac": 700, "smm": 20000, "sm4": 20000, "random": 20000}
    assert declared.env_steps == (700 + 3 * 20000) * 2 * 4
    with pytest.raises(UserError, match=r"variants\.sac\.budget"):
        experiment(variants={**variants, "sac": {"algorithm": "sac", "budget": 0}})
