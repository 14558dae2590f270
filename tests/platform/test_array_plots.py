"""Figures of coverage arrays: curves, goals, several maps; and bars of several metrics."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from synthetic import DATA, experiment, write_run

from expedition.platform import array_curves, array_names, bar_plots, figures, goal_plots, heatmaps
from expedition.platform import results as reading
from expedition.platform.plan import trials_of
from expedition.platform.plot_schema import Plot
from expedition.platform.results import Run
from expedition.platform.store import RunFolder

X_EDGES, Y_EDGES = np.linspace(1.0, 1.6, 13), np.linspace(0.34, 1.12, 17)
SKILLS = 11  # so that the order of numbers differs from that of names
GOALS = np.random.default_rng(0).uniform((1.1, 0.44), (1.5, 1.02), (300, 2))


def coverage(seed: int, reach: float) -> dict[str, np.ndarray]:
    """Arrays of an agent that gets ``reach`` far from the middle of the table."""
    rng = np.random.default_rng(seed)

    def visits(scale: float, around: tuple[float, float] = (1.3, 0.73)) -> np.ndarray:
        points = np.array(around) + scale * rng.standard_normal((3000, 2))
        return np.histogram2d(*points.T, bins=[X_EDGES, Y_EDGES])[0]

    edges = {"x_edges": X_EDGES, "y_edges": Y_EDGES}
    distance = np.linalg.norm(GOALS - (1.3, 0.73), axis=1)
    arrays: dict[str, np.ndarray] = {}
    for prefix, scale in (("eval", reach), ("eval/historical", 1.5 * reach)):
        episodes = np.clip(4 * (distance / scale) ** 2, 0, 100)
        found = (episodes[:, None] <= np.arange(101)).mean(0)
        arrays |= {f"{prefix}/{k}": v for k, v in edges.items()}
        arrays |= {f"{prefix}/visits": visits(scale), f"{prefix}/goals": GOALS}
        arrays |= {f"{prefix}/goal_episodes": episodes, f"{prefix}/goals_found": found}
    for skill in range(SKILLS):
        angle = 2 * np.pi * skill / SKILLS
        place = (1.3 + 0.2 * np.cos(angle), 0.73 + 0.2 * np.sin(angle))
        arrays |= {f"eval/skill-{skill}/{k}": v for k, v in edges.items()}
        arrays[f"eval/skill-{skill}/visits"] = visits(0.05, place)
    return arrays


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Run:
    declared = experiment(tasks={"default": {}}, seeds=3)
    path = write_run(tmp_path_factory.mktemp("r") / "run", declared)
    reach = {"sac": 0.06, "smm": 0.12, "sm4": 0.16, "random": 0.08}
    for trial in trials_of(declared):
        arrays = coverage(trial.seed, reach[trial.variant])
        if trial.variant != "sm4":
            arrays = {k: v for k, v in arrays.items() if "skill" not in k}
        if trial.variant == "random":
            arrays = {k: v for k, v in arrays.items() if "historical" not in k}
        RunFolder(path).trial(trial.id).write_coverage(arrays)
    return reading.read(path)


def test_neighbours_of_an_array_are_those_of_the_same_policy(run: Run) -> None:
    content = reading.arrays(run, "eval/visits", "trials/default/sm4/seed_0")
    assert sorted(content) == [
        "goal_episodes", "goals", "goals_found", "visits", "x_edges", "y_edges",
    ]  # fmt: skip
    assert reading.arrays(run, "eval/nothing", "trials/default/sm4/seed_0") == {}


def test_patterns_give_the_skills_in_the_order_of_their_numbers(run: Run) -> None:
    names = array_names.expand(run, ["eval/visits", "eval/skill-*/visits"])
    assert names == ["eval/visits", *(f"eval/skill-{n}/visits" for n in range(SKILLS))]
    assert [array_names.label(name) for name in names[:2]] == ["last policy", "skill 0"]
    assert array_names.label("eval/historical/visits") == "historical average"


def test_array_curves_are_means_over_seeds_of_each_variant_and_array(run: Run) -> None:
    arrays = ("eval/historical/goals_found", "eval/goals_found")
    plot = Plot(kind="array_curve", array=arrays, x_label="episodes", y_label="goals found")
    figure = array_curves.draw(run, plot)
    assert figure is not None
    (axes,) = figure.axes
    assert len(axes.get_lines()) == 2 * 3 + 1  # the random policy has no history
    assert (axes.get_xlabel(), axes.get_ylabel()) == ("episodes", "goals found")
    labels = [text.get_text() for text in figure.legends[0].get_texts()]
    assert labels[-2:] == ["historical average", "last policy"]
    seeds = [
        reading.arrays(run, arrays[1], f"trials/default/sac/seed_{k}")["goals_found"]
        for k in range(3)
    ]
    np.testing.assert_allclose(axes.get_lines()[1].get_ydata(), np.mean(seeds, axis=0))
    np.testing.assert_array_equal(axes.get_lines()[1].get_xdata(), np.arange(101))


def test_an_array_may_stand_over_its_neighbour_also_between_edges(run: Run) -> None:
    folder = "trials/default/sac/seed_0"
    content = reading.arrays(run, "eval/visits", folder) | {"profile": np.arange(12.0)}
    named = {f"eval/{name}": array for name, array in content.items()}
    RunFolder(run.path).trial("default/sac/seed_0").write_coverage(named)
    (curve,) = array_curves.curves_of(run, "eval/profile", "x_edges", "default", "sac")
    np.testing.assert_allclose(curve[0], (X_EDGES[:-1] + X_EDGES[1:]) / 2)
    np.testing.assert_array_equal(curve[1], np.arange(12))


def test_goals_are_coloured_by_the_mean_over_seeds(run: Run) -> None:
    goals = goal_plots.goals_of(run, "eval/goals", "default", "smm")
    assert goals is not None
    np.testing.assert_array_equal(goals.positions, GOALS)
    distance = np.linalg.norm(GOALS - (1.3, 0.73), axis=1)
    np.testing.assert_allclose(goals.episodes, np.clip(4 * (distance / 0.12) ** 2, 0, 100))
    figure = goal_plots.draw(run, Plot(kind="goals", array="eval/goals"))
    assert figure is not None
    scatters = [axes for axes in figure.axes if axes.get_title()]
    assert [axes.get_title() for axes in scatters] == ["SAC", "SMM", "SM4 (N=3)", "random policy"]
    np.testing.assert_allclose(scatters[1].collections[0].get_array(), goals.episodes)


def test_skills_are_laid_out_in_rows_and_named(run: Run) -> None:
    figure = heatmaps.draw(run, Plot(kind="heatmap", array="eval/skill-*/visits", log=True))
    assert figure is not None
    maps = [axes for axes in figure.axes if axes.images]
    assert [axes.get_title() for axes in maps] == [f"skill {n}" for n in range(SKILLS)]
    image = maps[0].images[0]
    assert image.get_extent() == pytest.approx([1.0, 1.6, 0.34, 1.12])
    expected = heatmaps.visit_map(run, "eval/skill-0/visits", "default", "sm4")
    assert expected is not None
    np.testing.assert_array_equal(image.get_array().mask, expected.share.T == 0)


def test_maps_of_several_policies_are_rows_and_missing_ones_stay_empty(run: Run) -> None:
    arrays = ("eval/visits", "eval/historical/visits")
    figure = heatmaps.draw(run, Plot(kind="heatmap", array=arrays, log=True))
    assert figure is not None
    maps = [axes for axes in figure.axes if axes.images]
    assert len(maps) == 4 + 3
    assert [axes.get_ylabel() for axes in maps if axes.get_ylabel()] == [
        "last policy", "historical average",
    ]  # fmt: skip


def test_bars_of_several_metrics_stand_side_by_side(run: Run) -> None:
    plot = Plot(kind="bars", metrics=("halls", "return"), y_label="score")
    figure = bar_plots.draw(run, plot)
    assert figure is not None
    (axes,) = figure.axes
    assert len(axes.patches) == 4 * 2
    assert axes.get_ylabel() == "score"
    rows = run.rows[run.rows["variant"] == "sac"].groupby("seed")["train/return_mean"].last()
    assert axes.patches[1].get_height() == pytest.approx(rows.mean())
    legend = [text.get_text() for text in figure.legends[0].get_texts()]
    assert legend == ["halls explored (fraction)", "return an episode"]


def test_a_plot_of_some_variants_keeps_their_colours(run: Run) -> None:
    some = figures._of_variants(run, ("smm", "sm4"))
    whole = array_curves.draw(run, Plot(kind="array_curve", array="eval/goals_found"))
    part = array_curves.draw(some, Plot(kind="array_curve", array="eval/goals_found"))
    assert whole is not None
    assert part is not None
    colours = [line.get_color() for line in whole.axes[0].get_lines()]
    assert [line.get_color() for line in part.axes[0].get_lines()] == colours[1:3]


def test_every_kind_is_rendered(run: Run, tmp_path: Path) -> None:
    plots = [
        {"kind": "array_curve", "array": ["eval/historical/goals_found", "eval/goals_found"],
         "x_label": "episodes", "y_label": "goals found (fraction)"},
        {"kind": "goals", "array": ["eval/historical/goals", "eval/goals"]},
        {"kind": "heatmap", "array": "eval/skill-*/visits", "log": True},
        {"kind": "heatmap", "array": ["eval/visits", "eval/historical/visits"], "log": True},
        {"kind": "bars", "metrics": ["halls", "return"]},
        {"kind": "curves", "metric": "halls", "variants": ["sm4"]},
    ]  # fmt: skip
    declared = experiment(tasks={"default": {}}, seeds=3, plots=plots)
    drawings = figures.draw_all(Run(run.path, declared, run.manifest, run.trials, run.rows))
    assert [d.slug for d in drawings] == [
        "1-array_curve-eval-historical-goals-found-eval-goals-found",
        "2-goals-eval-historical-goals-eval-goals",
        "3-heatmap-eval-skill-visits",
        "4-heatmap-eval-visits-eval-historical-visits",
        "5-bars-halls-return",
        "6-curves-halls",
    ]
    for drawing in drawings:
        drawing.save(tmp_path)
        assert drawing.png[:4] == b"\x89PNG"


@pytest.mark.parametrize(
    ("plot", "message"),
    [
        ({"kind": "goals"}, "a plot of kind 'goals' needs 'array'"),
        ({"kind": "bars"}, "a plot of kind 'bars' needs 'metric'"),
        ({"kind": "bars", "metric": "halls", "metrics": ["halls"]}, "not both"),
        ({"kind": "heatmap", "array": "a", "x_label": "b"}, "takes no 'x_label'"),
        ({"kind": "arraycurve"}, "did you mean 'array_curve'?"),
    ],
)
def test_keys_that_do_not_belong_to_a_kind_are_refused(plot: dict, message: str) -> None:
    from expedition.platform.errors import UserError

    with pytest.raises(UserError, match=message.replace("?", "[?]")):
        experiment(**{**DATA, "plots": [plot]})
