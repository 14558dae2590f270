"""Optuna's part of a sweep: a study a variant, told of what an earlier launch left behind."""

from __future__ import annotations

import copy
import math
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from ray.tune.search import Searcher

from expedition.platform.errors import UserError
from expedition.platform.groups import REPEAT_INDEX, GroupedSearcher
from expedition.platform.objective import Objective
from expedition.platform.plan import Trial, point_name
from expedition.platform.schedulers import Sweep, tune_domains
from expedition.platform.scores import point_score
from expedition.platform.spec import Experiment
from expedition.platform.store import DONE, FAILED, RunFolder
from expedition.platform.trainable import OBJECTIVE

_ATTEMPTS = 100  # suggestions in a row that may be old


@dataclass
class Known:
    """What a run folder already holds of one variant's points.

    Attributes:
        scored: Point values and objective (see `point_score`) of points that are finished.
        open: Values of points that were begun and not finished.
    """

    scored: list[tuple[dict[str, Any], float]] = field(default_factory=list)
    open: list[dict[str, Any]] = field(default_factory=list)


def known_points(folder: RunFolder, objective: Objective, repeats: int) -> dict[str, Known]:
    """Read the points of an interrupted sweep.

    Args:
        folder: The run.
        objective: What is optimised.
        repeats: Trials a point.

    Returns:
        Variant -> what is known.
    """
    points: defaultdict[tuple[str, str], list[Trial]] = defaultdict(list)
    for trial_id in folder.trial_ids():
        trial = Trial.from_dict(folder.trial(trial_id).read_trial())
        points[trial.variant, str(trial.point)].append(trial)
    known: defaultdict[str, Known] = defaultdict(Known)
    for (variant, _), trials in points.items():
        ended = [t for t in trials if folder.trial(t.id).status()["state"] in (DONE, FAILED)]
        values = dict(trials[0].search)
        if len(ended) < repeats:
            known[variant].open.append(values)
            continue
        scores = [(trial.task, _score(folder, trial, objective)) for trial in ended]
        known[variant].scored.append((values, point_score(scores)))
    return known


class NewPoints(Searcher):
    """Gives out no point twice: two trials of one point would write into one folder.

    What the study suggests again is taken back, and it is asked for another. A space in which it
    finds no other is exhausted: the sweep has fewer points than samples.

    Args:
        study: The searcher of points.
        given: Names of points that an earlier launch has finished.
    """

    def __init__(self, study: Searcher, given: Iterable[str] = ()) -> None:
        super().__init__(metric=study.metric, mode=study.mode)
        self._study = study
        self._given = set(given)
        self._asked: dict[str, str] = {}  # trial -> the study's name for it

    def suggest(self, trial_id: str) -> dict[str, Any] | str | None:
        """Suggest a point that is new."""
        for attempt in range(_ATTEMPTS):
            asked = f"{trial_id}/{attempt}"
            values = self._study.suggest(asked)
            if not isinstance(values, dict):
                return values
            name = point_name(values["search"])
            if name not in self._given:
                self._given.add(name)
                self._asked[trial_id] = asked
                return values
            self._study.on_trial_complete(asked, error=True)
        return Searcher.FINISHED

    def on_trial_result(self, trial_id: str, result: dict[str, Any]) -> None:
        """Pass a result on."""
        self._study.on_trial_result(self._asked[trial_id], result)

    def on_trial_complete(
        self, trial_id: str, result: dict[str, Any] | None = None, error: bool = False
    ) -> None:
        """Pass the end of a trial on."""
        self._study.on_trial_complete(self._asked[trial_id], result=result, error=error)

    def save(self, checkpoint_path: str) -> None:
        """Save nothing: a resumed sweep tells its studies what the run folder holds."""

    def restore(self, checkpoint_path: str) -> None:
        """Restore nothing (see `save`)."""


class PointSearcher(Searcher):
    """Gives each point of a study to all its trials and tells the study their `point_score`.

    Tune's ``Repeater`` does this with a mean.

    Args:
        study: The searcher of points.
        tasks: Task of each trial of a point, in their order.
    """

    def __init__(self, study: Searcher, tasks: Sequence[str]) -> None:
        super().__init__(metric=study.metric, mode=study.mode)
        self._study = study
        self._tasks = tuple(tasks)
        self._values: dict[str, Any] = {}
        self._first = ""
        self._next = 0
        self._place: dict[str, tuple[str, int]] = {}
        self._scores: defaultdict[str, dict[int, float]] = defaultdict(dict)

    def suggest(self, trial_id: str) -> dict[str, Any] | str | None:
        """Suggest the point that is being given out, or a new one after its last trial."""
        if self._next == 0:
            values = self._study.suggest(trial_id)
            if not isinstance(values, dict):
                return values
            self._first, self._values = trial_id, values
        number, self._next = self._next, (self._next + 1) % len(self._tasks)
        self._place[trial_id] = (self._first, number)
        return {**copy.deepcopy(self._values), REPEAT_INDEX: number}

    def on_trial_result(self, trial_id: str, result: dict[str, Any]) -> None:
        """Tell the study nothing: a point has no score before its last trial has ended."""

    def on_trial_complete(
        self, trial_id: str, result: dict[str, Any] | None = None, error: bool = False
    ) -> None:
        """Keep a trial's objective, and tell the study when it was the last of its point."""
        first, number = self._place[trial_id]
        worst = -math.inf if self.mode == "max" else math.inf
        scores = self._scores[first]
        scores[number] = (result or {}).get(self.metric, worst)
        if len(scores) == len(self._tasks):
            score = point_score([(self._tasks[k], value) for k, value in scores.items()])
            self._study.on_trial_complete(first, result={self.metric: score})

    def save(self, checkpoint_path: str) -> None:
        """Save nothing: a resumed sweep tells its studies what the run folder holds."""

    def restore(self, checkpoint_path: str) -> None:
        """Restore nothing (see `save`)."""


def _score(folder: RunFolder, trial: Trial, objective: Objective) -> float:
    files = folder.trial(trial.id)
    return objective.of(files.rows(), failed=files.status()["state"] == FAILED)


def optuna_searcher(
    sweep: Sweep, experiment: Experiment, known: Mapping[str, Known], tasks: Sequence[str]
) -> Searcher:
    """Build the searcher of a sweep.

    Args:
        sweep: What was asked for.
        experiment: The resolved experiment.
        known: Variant -> what an earlier launch left.
        tasks: Task of each trial of a point; the study sees their `point_score`.

    Returns:
        A searcher that suggests ``{"search": {...}, "group": variant}``.

    Raises:
        UserError: Optuna is not installed.
    """
    try:
        import optuna
    except ImportError as error:
        raise UserError(
            "--searcher optuna needs Optuna: pip install 'expedition[sweep]'"
        ) from error
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    searchers = {
        name: _study(sweep, experiment, known.get(name, Known()), tasks)
        for name in experiment.variants
    }
    return GroupedSearcher(searchers)


def _study(sweep: Sweep, experiment: Experiment, known: Known, tasks: Sequence[str]) -> Searcher:
    from ray.tune.search.optuna import OptunaSearch

    domains = {"search": tune_domains(experiment.search)}
    search = OptunaSearch(
        OptunaSearch.convert_search_space(domains),
        metric=OBJECTIVE,
        mode=sweep.objective.mode,
        points_to_evaluate=[_flat(values) for values in known.open],
        seed=sweep.seed,
    )
    for values, score in known.scored:
        search.add_evaluated_point(_flat(values), score, error=not math.isfinite(score))
    study = NewPoints(search, [point_name(values) for values, _ in known.scored])
    return PointSearcher(study, tasks) if len(tasks) > 1 else study


def _flat(values: Mapping[str, Any]) -> dict[str, Any]:
    return {f"search/{name}": value for name, value in values.items()}


def cells(trials: Sequence[Trial]) -> dict[str, list[dict[str, Any]]]:
    """Group the trials that a point stands for, by variant.

    Args:
        trials: The trials of the experiment, outside any sweep.

    Returns:
        Variant -> contents of ``trial.json``, one a task and seed.
    """
    grouped: defaultdict[str, list[dict[str, Any]]] = defaultdict(list)
    for trial in trials:
        grouped[trial.variant].append(trial.to_dict())
    return dict(grouped)
