"""Sweeps: from an experiment's search space to points, searchers and schedulers.

A random or grid sweep knows its points beforehand: they are planned trials like any other.
Optuna makes up each point from the results so far, one study a variant. Schedulers compare only
trials of the same variant and task.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from ray import tune
from ray.tune.schedulers import TrialScheduler
from ray.tune.search.sample import Domain

from expedition.algorithms.registry import config_class
from expedition.platform.errors import UserError, unknown
from expedition.platform.groups import GroupedScheduler, Population
from expedition.platform.halving import Halving
from expedition.platform.median import MedianRule
from expedition.platform.objective import Objective
from expedition.platform.plan import Trial, trials_of
from expedition.platform.schema import Metric
from expedition.platform.spec import Experiment
from expedition.platform.stopping import PointStopping
from expedition.platform.store import RunFolder
from expedition.platform.trainable import OBJECTIVE

SEARCHERS = ("random", "grid", "optuna")
SCHEDULERS = ("none", "asha", "median", "pbt")

_LISTS = ("grid_search", "choice")
ASHA_FACTOR = 3  # keep the best third at a ninth and at a third of the budget
MEDIAN_GRACE = 0.2  # of the budget before a trial may be stopped
MEDIAN_POINTS = 3  # others that must have come as far before a median means something
PBT_INTERVALS = 10  # times in a budget that the worse quarter copies the better


@dataclass(frozen=True)
class Sweep:
    """What the command line asks of a sweep.

    Attributes:
        samples: Points a variant; ignored by a grid, which has as many as it has.
        searcher: Where points come from.
        scheduler: Which trials are stopped or copied before their budget is spent.
        metric: What is optimised.
        seed: Seed of the points.
    """

    samples: int
    searcher: str
    scheduler: str
    metric: Metric
    seed: int = 0

    @property
    def objective(self) -> Objective:
        """The metric as a function of a trial's rows."""
        return Objective.from_metric(self.metric)

    def check(self, experiment: Experiment) -> None:
        """Refuse what cannot work, before anything starts.

        Raises:
            UserError: Says what to change.
        """
        _choose("searcher", self.searcher, SEARCHERS)
        _choose("scheduler", self.scheduler, SCHEDULERS)
        if self.samples < 1:
            raise UserError(f"--samples {self.samples}: must be at least 1")
        if self.seed < 0:
            raise UserError(f"--search-seed {self.seed}: must be 0 or more")
        if not experiment.search:
            raise UserError(f"{experiment.name} has no search space: add a 'search' block to it")
        if self.searcher == "grid":
            grid_points(experiment.search)
        groups = len(experiment.variants) * len(experiment.tasks)
        if self.scheduler == "pbt":
            self._check_pbt(experiment, groups)
        elif self.searcher == "optuna" and self.scheduler != "none" and _cells(experiment) > 1:
            raise UserError(
                f"--searcher optuna with --scheduler {self.scheduler} takes one task and one seed:"
                " use --tasks and --seeds 1, or --scheduler none"
            )

    def _check_pbt(self, experiment: Experiment, groups: int) -> None:
        if self.searcher != "random":
            raise UserError("--scheduler pbt starts from random points: use --searcher random")
        if groups > 1 or len(experiment.seeds) > 1:
            raise UserError(
                "--scheduler pbt trains one population: choose one variant, task and seed with"
                " --variants, --tasks and --seeds 1"
            )


def sweepable(experiment: Experiment, metric: str | None) -> Experiment:
    """Keep the variants that a sweep can tune, and put its metric first.

    Args:
        experiment: The resolved experiment.
        metric: Name of the metric to optimise; the headline when not given. As the first metric
            it is the one that tables and the report rank points by.

    Returns:
        The experiment without its references and without variants that lack a searched setting.

    Raises:
        UserError: There is no such metric, or nothing is left to tune.
    """
    if metric is not None and metric not in experiment.metrics:
        raise unknown("metric", metric, experiment.metrics, "--metric")
    first = metric or experiment.headline[0]
    headline = experiment.metrics[first]
    headline = headline.model_copy(update={"stage": experiment.stage_of(headline)})
    metrics = {first: headline, **{k: m for k, m in experiment.metrics.items() if k != first}}
    variants = {
        name: variant
        for name, variant in experiment.variants.items()
        if not variant.reference and _has_settings(variant.algorithm, experiment.search)
    }
    if not variants:
        raise UserError(
            f"no variant of {experiment.name} has all of {', '.join(experiment.search)}"
        )
    return experiment.model_copy(update={"variants": variants, "metrics": metrics})


def _has_settings(algorithm: str, names: Iterable[str]) -> bool:
    config = config_class(algorithm)()
    return all(hasattr(config, name.partition(".")[0]) for name in names)


def _choose(kind: str, name: str, valid: Sequence[str]) -> None:
    if name not in valid:
        raise unknown(kind, name, valid, f"--{kind}")


def _cells(experiment: Experiment) -> int:
    return len(experiment.tasks) * len(experiment.seeds)


def planned_points(sweep: Sweep, space: Mapping[str, Mapping[str, Any]]) -> list[dict[str, Any]]:
    """List the points of a random or grid sweep; the same for the same seed.

    Args:
        sweep: What was asked for.
        space: Setting -> ``{distribution: arguments}``.

    Returns:
        Setting -> value, a point.
    """
    if sweep.searcher == "grid":
        return grid_points(space)
    random = np.random.default_rng(sweep.seed)
    domains = tune_domains(space)
    return [
        {name: _plain(domain.sample(random_state=random)) for name, domain in domains.items()}
        for _ in range(sweep.samples)
    ]


def planned_trials(sweep: Sweep, experiment: Experiment) -> list[Trial]:
    """List the trials of a random or grid sweep: every point on every cell.

    Args:
        sweep: What was asked for.
        experiment: The resolved experiment.

    Returns:
        Trials, points outermost, so that early results already cover variants, tasks and seeds.
    """
    points = planned_points(sweep, experiment.search)
    names: list[str | None] = [None] * len(points)
    if sweep.scheduler == "pbt":  # its members change their values, so the name cannot be theirs
        names = [f"member_{k:02d}" for k in range(len(points))]
    bases = trials_of(experiment)
    trials = [
        base.at(values, name) for values, name in zip(points, names, strict=True) for base in bases
    ]
    return list({trial.id: trial for trial in trials}.values())


def grid_points(space: Mapping[str, Mapping[str, Any]]) -> list[dict[str, Any]]:
    """List every combination of a space of lists.

    Raises:
        UserError: A setting is a continuous distribution.
    """
    for name, entry in space.items():
        if next(iter(entry)) not in _LISTS:
            raise UserError(
                f"--searcher grid: 'search.{name}' is {next(iter(entry))}, not a list;"
                " use --searcher random or optuna"
            )
    values = [next(iter(entry.values())) for entry in space.values()]
    return [dict(zip(space, point, strict=True)) for point in itertools.product(*values)]


def tune_domains(space: Mapping[str, Mapping[str, Any]]) -> dict[str, Domain]:
    """Turn a search space into Tune's domains.

    Args:
        space: Setting -> ``{distribution: arguments}``, Tune's spellings; a ``grid_search`` is a
            choice between its values here.

    Returns:
        Setting -> domain.
    """
    domains = {}
    for name, entry in space.items():
        ((kind, arguments),) = entry.items()
        domains[name] = (
            tune.choice(list(arguments)) if kind in _LISTS else getattr(tune, kind)(*arguments)
        )
    return domains


def _plain(value: Any) -> Any:
    return value.item() if isinstance(value, np.generic) else value


def scheduler_of(sweep: Sweep, experiment: Experiment, folder: RunFolder) -> TrialScheduler | None:
    """Build the scheduler of a sweep.

    Args:
        sweep: What was asked for.
        experiment: The resolved experiment.
        folder: The run, with what an earlier launch may have left.

    Returns:
        The scheduler; ``None`` when every trial spends its budget.
    """
    if sweep.scheduler == "none":
        return None
    if sweep.scheduler == "pbt":
        (variant,) = experiment.variants
        budget = experiment.budget_of(variant)
        return Population(
            time_attr="env_steps",
            metric=OBJECTIVE,
            mode=sweep.objective.mode,
            perturbation_interval=max(1, budget // PBT_INTERVALS),
            hyperparam_mutations={"search": _mutations(experiment.search)},
            log_config=False,
        )
    make = _median if sweep.scheduler == "median" else _halving
    scheduler = GroupedScheduler(lambda variant: make(sweep, experiment.budget_of(variant)))
    for trial_id in folder.trial_ids():
        trial = Trial.from_dict(folder.trial(trial_id).read_trial())
        stopping = scheduler.group({"trial": trial.id})
        stopping.recall(trial, folder.trial(trial_id).rows(), sweep.objective)
    return scheduler


def _mutations(space: Mapping[str, Mapping[str, Any]]) -> dict[str, Domain | list[Any]]:
    """Say how PBT changes values: along a list, where there is one, else by a factor."""
    lists = {name: entry[kind] for name, entry in space.items() for kind in _LISTS if kind in entry}
    return {name: lists.get(name, domain) for name, domain in tune_domains(space).items()}


def _halving(sweep: Sweep, budget: int) -> PointStopping:
    return Halving(
        metric=OBJECTIVE,
        mode=sweep.objective.mode,
        grace=max(1, budget // ASHA_FACTOR**2),
        budget=budget,
        factor=ASHA_FACTOR,
    )


def _median(sweep: Sweep, budget: int) -> PointStopping:
    return MedianRule(
        metric=OBJECTIVE,
        mode=sweep.objective.mode,
        grace=math.ceil(budget * MEDIAN_GRACE),
        least=MEDIAN_POINTS,
    )
