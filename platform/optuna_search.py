"""Optuna's part of a sweep: a study a variant, told of what an earlier launch left behind."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from ray.tune.search import Repeater, Searcher

from expedition.platform.errors import UserError
from expedition.platform.groups import GroupedSearcher
from expedition.platform.objective import Objective
from expedition.platform.plan import Trial
from expedition.platform.schedulers import Sweep, tune_domains
from expedition.platform.spec import Experiment
from expedition.platform.store import DONE, FAILED, RunFolder
from expedition.platform.trainable import OBJECTIVE


@dataclass
class Known:
    """What a run folder already holds of one variant's points.

    Attributes:
        scored: Point values and mean objective of points that are finished.
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
        scores = [_score(folder, trial, objective) for trial in ended]
        known[variant].scored.append((values, sum(scores) / len(scores)))
    return known


def _score(folder: RunFolder, trial: Trial, objective: Objective) -> float:
    files = folder.trial(trial.id)
    return objective.of(files.rows(), failed=files.status()["state"] == FAILED)


def optuna_searcher(
    sweep: Sweep, experiment: Experiment, known: Mapping[str, Known], repeats: int
) -> Searcher:
    """Build the searcher of a sweep.

    Args:
        sweep: What was asked for.
        experiment: The resolved experiment.
        known: Variant -> what an earlier launch left.
        repeats: Trials a point; the study sees their mean.

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
        name: _study(sweep, experiment, known.get(name, Known()), repeats)
        for name in experiment.variants
    }
    return GroupedSearcher(searchers)


def _study(sweep: Sweep, experiment: Experiment, known: Known, repeats: int) -> Searcher:
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
    return Repeater(search, repeat=repeats) if repeats > 1 else search


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
