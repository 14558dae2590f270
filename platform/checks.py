"""Look up the names of an experiment that live elsewhere, before anything starts.

Environments in Gymnasium's registry, algorithms and their settings in ours, and metric keys in the
list of curated names. Imports Ray; the shape of a file is checked without it (``spec``).
"""

from __future__ import annotations

import importlib
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

from expedition.platform.errors import UserError, unknown
from expedition.platform.spec import Experiment, Where

if TYPE_CHECKING:
    from ray.rllib.algorithms.algorithm_config import AlgorithmConfig

# Names of `expedition.algorithms.core.metrics.curate`; an environment's coverage names and the
# learner's, which depend on the method, come in addition.
FIXED_METRICS = (
    "env_steps",
    "updates",
    "iteration",
    "train/return_mean",
    "train/length_mean",
    "train/episodes",
    "eval/return_mean",
    "eval/length_mean",
    "time/seconds",
    "time/env_steps_per_s",
)
COVERAGE_PREFIXES = ("coverage/", "eval/coverage/", "eval/historical/coverage/")
LEARNER_PREFIX = "learner/"


def check(experiment: Experiment, where: Where = ".".join) -> None:
    """Check the environment, the algorithms, their settings and the metrics of an experiment.

    Args:
        experiment: The resolved experiment.
        where: Names the place of a key in messages.

    Raises:
        UserError: The first name or setting that does not exist or is not allowed.
    """
    coverage = _check_environment(experiment, where)
    _check_metrics(experiment, coverage, where)
    known: set[str] = set()
    for name, variant in experiment.variants.items():
        config = _new_config(variant.algorithm, where(("variants", name, "algorithm")))
        known |= set(_settings(config))
        _check_settings(experiment, name, config, where)
    for key in experiment.search:
        if key.split(".")[0] not in known:
            raise unknown("setting", key, known, where(("search", key)))


def metric_keys(coverage: Iterable[str]) -> list[str]:
    """List the metric keys a trial may report, the learner's own aside.

    Args:
        coverage: Names of the environment's coverage metrics.
    """
    names = list(coverage)
    return [*FIXED_METRICS, *(prefix + name for prefix in COVERAGE_PREFIXES for name in names)]


def _check_environment(experiment: Experiment, where: Where) -> list[str]:
    """Make the environment of every task once; return the names of its coverage metrics."""
    from expedition.envs import coverage

    _find_environment(experiment.env, where(("env",)))
    names: set[str] = set()
    for task in experiment.tasks:
        try:
            names |= set(coverage.metric_names(experiment.env, experiment.env_config_of(task)))
        except Exception as error:  # whatever a third party's constructor raises
            own = experiment.tasks[task]
            place = where(("tasks", task) if own else ("env_config",))
            raise UserError(f"{place}: {experiment.env} refuses its settings: {error}") from error
    return sorted(names)


def _find_environment(env: str, place: str) -> None:
    """Check that Gymnasium knows an environment; ``module:Name-v0`` imports the module first."""
    import gymnasium

    module, _, env_id = env.rpartition(":")
    if module:
        try:
            importlib.import_module(module)
        except ImportError as error:
            raise UserError(f"{place}: module '{module}' cannot be imported: {error}") from error
    if env_id not in gymnasium.registry:
        raise unknown("environment", env, _like(env_id, gymnasium.registry), place)


def _like(env_id: str, registered: Iterable[str]) -> list[str]:
    """Return the ids of the same namespace, so that a wrong name is matched to our own first."""
    namespace = env_id.rpartition("/")[0]
    return [name for name in registered if name.rpartition("/")[0] == namespace] or [*registered]


def _check_metrics(experiment: Experiment, coverage: list[str], where: Where) -> None:
    valid = metric_keys(coverage)
    for name, metric in experiment.metrics.items():
        if metric.key not in valid and not metric.key.startswith(LEARNER_PREFIX):
            raise unknown("metric", metric.key, valid, where(("metrics", name, "key")))


def _new_config(algorithm: str, place: str) -> AlgorithmConfig:
    from expedition.algorithms import registry

    if algorithm not in registry.names():
        raise unknown("algorithm", algorithm, registry.names(), place)
    config: AlgorithmConfig = registry.config_class(algorithm)()
    return config


def _settings(config: AlgorithmConfig) -> list[str]:
    """Return the settings a config takes: its declared hyperparameters and RLlib's own."""
    return [name for name in vars(config) if not name.startswith("_")]


def _check_settings(
    experiment: Experiment, name: str, config: AlgorithmConfig, where: Where
) -> None:
    """Check a variant's settings by name, then by value."""
    algorithm = experiment.variants[name].algorithm
    settings = experiment.config_of(name)
    valid = _settings(config)
    for key in settings:
        if key not in valid:
            place = _setting_place(experiment, name, key, where)
            declared = _declared(config)
            raise unknown(f"setting of '{algorithm}'", key, declared or valid, place)
    try:
        config.environment(experiment.env, env_config=experiment.env_config_of(_first(experiment)))
        config.update_from_dict(settings)
        config.validate()
    except (ValueError, TypeError) as error:
        culprit = next((key for key in settings if str(error).startswith(f"{key}=")), None)
        place = where(("variants", name))
        if culprit is not None:
            place = _setting_place(experiment, name, culprit, where)
        raise UserError(f"{place}: {error}") from error


def _setting_place(experiment: Experiment, name: str, key: str, where: Where) -> str:
    own: Mapping[str, Any] = experiment.variants[name].config
    return where(("variants", name, "config", key) if key in own else ("config", key))


def _declared(config: AlgorithmConfig) -> list[str]:
    declare = getattr(type(config), "hyperparameters", None)
    return [*declare()] if declare else []


def _first(experiment: Experiment) -> str:
    return next(iter(experiment.tasks))
