"""Figures of Q at single states, and of learners beside the expert they imitate."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from matplotlib.collections import LineCollection, PathCollection
from synthetic import DATA, experiment, write_run

from expedition.envs.declared import Declared
from expedition.platform import figures, imitation_plots, q_plots
from expedition.platform import results as reading
from expedition.platform.errors import UserError
from expedition.platform.measured import check_arrays
from expedition.platform.plan import trials_of
from expedition.platform.plot_schema import Plot
from expedition.platform.results import Run
from expedition.platform.store import RunFolder

Q = Plot(kind="q_contours", array="eval/state-*/q_values")
ACTIONS = Plot(kind="state_actions", array="eval/learner_actions", x_label="s", y_label="a")
PATHS = Plot(kind="over_time", array="eval/paths", x_label="steps", y_label="position")
STATES = ((-2.5, 0.0), (0.0, 0.0), (2.5, 2.5))


def arrays(seed: int) -> dict[str, np.ndarray]:
    rng = np.random.default_rng(seed)
    x, y = np.meshgrid(*[np.linspace(-1, 1, 11)] * 2, indexing="ij")
    found: dict[str, np.ndarray] = {}
    for index, state in enumerate(STATES):
        found[f"eval/state-{index}/q_values"] = -np.square(x - 0.5) - 0.1 * np.square(y)
        found[f"eval/state-{index}/actions"] = rng.normal((0.5, 0), 0.1, (20, 2))
        found[f"eval/state-{index}/state"] = np.array(state)
    places = rng.normal(size=(1, 4, 7, 1)).cumsum(2)
    times = np.broadcast_to(np.arange(7.0)[:, None], places.shape)
    paths = np.concatenate([times, places], -1)
    pairs = np.stack([np.linspace(-10, 10, 50), np.full(50, 0.6)], 1)
    return found | {
        "eval/learner_actions": pairs * (1, -1),
        "eval/expert_actions": pairs,
        "eval/paths": paths,
        "eval/expert_paths": -paths[:, :2],
    }


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Run:
    declared = experiment(tasks={"default": {}}, seeds=2, plots=[], claims=[])
    path = write_run(tmp_path_factory.mktemp("r") / "run", declared)
    for trial in trials_of(declared):
        if trial.variant in ("smm", "sm4"):
            RunFolder(path).trial(trial.id).write_coverage(arrays(trial.seed))
    return reading.read(path)


def test_q_has_a_row_a_state_and_the_actions_stand_where_q_is_highest(run: Run) -> None:
    figure = q_plots.draw(run, Q)
    assert figure is not None
    assert [axes.get_title() for axes in figure.axes if axes.get_title()] == ["SMM", "SM4 (N=3)"]
    labels = [axes.get_ylabel() for axes in figure.axes if axes.get_ylabel()]
    assert labels == ["(-2.5, 0)", "(0, 0)", "(2.5, 2.5)"]
    contours, dots = figure.axes[0].collections
    assert isinstance(dots, PathCollection)
    np.testing.assert_allclose(dots.get_offsets(), arrays(0)["eval/state-0/actions"])
    highest = [path for path in contours.get_paths() if len(path)][-1].vertices
    assert highest.mean(0) == pytest.approx((0.5, 0.0), abs=0.1)  # x is the first coordinate


def test_the_expert_stands_first_and_shares_the_axes(run: Run) -> None:
    figure = imitation_plots.draw_actions(run, ACTIONS)
    assert figure is not None
    assert [axes.get_title() for axes in figure.axes] == ["expert", "SMM", "SM4 (N=3)"]
    heights = [axes.collections[0].get_offsets()[0, 1] for axes in figure.axes]
    assert heights == [0.6, -0.6, -0.6]
    assert (figure.axes[0].get_xlabel(), figure.axes[0].get_ylabel()) == ("s", "a")


def test_places_over_time_are_a_line_an_episode(run: Run) -> None:
    figure = imitation_plots.draw_over_time(run, PATHS)
    assert figure is not None
    lines = [axes.collections[0] for axes in figure.axes]
    assert all(isinstance(line, LineCollection) for line in lines)
    assert [len(line.get_segments()) for line in lines] == [2, 4, 4]
    np.testing.assert_allclose(lines[1].get_segments()[0], arrays(0)["eval/paths"][0, 0])


@pytest.mark.parametrize("plot", [Q, ACTIONS, PATHS], ids=lambda plot: plot.kind)
def test_a_report_shows_them_and_leaves_them_out_without_data(run: Run, plot: Plot) -> None:
    declared = run.experiment.model_copy(update={"plots": (plot,)})
    whole = Run(run.path, declared, run.manifest, run.trials, run.rows)
    (drawing,) = figures.draw_all(whole)
    assert drawing.png[:4] == b"\x89PNG"
    none = whole.trials[whole.trials["variant"] == "sac"]
    assert figures.draw_all(Run(run.path, declared, run.manifest, none, run.rows)) == []


def test_their_arrays_are_known_and_those_of_another_form_refused() -> None:
    declared = Declared((), {"paths": 4})
    names = ("eval/state-*/q_values", "eval/state-2/q_values")
    plots = [plot.model_dump(exclude_defaults=True) for plot in (ACTIONS, PATHS)]
    plots += [{"kind": "q_contours", "array": name} for name in names]
    check_arrays(experiment(**{**DATA, "plots": plots}), declared, ".".join)
    wrong = {**DATA, "plots": [{"kind": "q_contours", "array": "eval/paths"}]}
    with pytest.raises(UserError, match="shows arrays of 2 dimensions, 'eval/paths' has 4"):
        check_arrays(experiment(**wrong), declared, ".".join)


def test_a_run_without_the_experts_paths_shows_the_learners(run: Run, tmp_path: Path) -> None:
    declared = experiment(tasks={"default": {}}, seeds=1, plots=[], claims=[])
    path = write_run(tmp_path / "run", declared)
    alone = {"eval/paths": arrays(0)["eval/paths"]}
    for trial in trials_of(declared):
        RunFolder(path).trial(trial.id).write_coverage(alone)
    figure = imitation_plots.draw_over_time(reading.read(path), PATHS)
    assert figure is not None
    assert [axes.get_title() for axes in figure.axes] == [
        "SAC",
        "SMM",
        "SM4 (N=3)",
        "random policy",
    ]
