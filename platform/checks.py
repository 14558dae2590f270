"""Look up the names of an experiment that live elsewhere, before anything starts.

Environments in Gymnasium's registry, algorithms and their settings in ours; metric keys and arrays
are looked up by ``names``. Imports Ray; the shape of a file is checked without it (``spec``).
"""

from __future__ import annotations

import importlib
import inspect
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

from expedition.platform.errors import UserError, unknown
from expedition.platform.measured import check_arrays, check_metrics
from expedition.platform.spec import Experiment, Where, deep_merge

if TYPE_CHECKING:
    from ray.rllib.algorithms.algorithm_config import AlgorithmConfig

    from expedition.envs.declared import Declared


def check(experiment: Experiment, where: Where = ".".join) -> Experiment:
    """Check the environment, the algorithms, their settings and the metrics of an experiment.

    A common setting goes to the variants whose algorithm has it: a random policy has no
    temperature, and a figure's common temperature must not need one.

    Args:
        experiment: The resolved experiment.
        where: Names the place of a key in messages.

    Returns:
        The experiment with each common setting that only some variants have moved to those.

    Raises:
        UserError: The first name or setting that does not exist or is not allowed.
    """
    declared = _check_environment(experiment, where)
    check_metrics(experiment, declared, where)
    check_arrays(experiment, declared, where)
    configs = {
        name: _new_config(variant.algorithm, where(("variants", name, "algorithm")))
        for name, variant in experiment.variants.items()
    }
    shared = _share_out(experiment, configs, where)
    for name, config in configs.items():
        _check_settings(shared, experiment.variants[name].config, name, config, where)
    known = {key for config in configs.values() for key in _settings(config)}
    for key in experiment.search:
        if key.split(".")[0] not in known:
            names = [name for config in configs.values() for name in _declared(config)]
            raise unknown("setting", key, names, where(("search", key)))
    return shared


def _check_environment(experiment: Experiment, where: Where) -> Declared:
    """Make the environment of every task once; return what they declare, together."""
    from expedition.envs.declared import Declared, declared

    _find_environment(experiment.env, where(("env",)))
    valid = _environment_settings(experiment.env)
    found = []
    for task, own in experiment.tasks.items():
        settings = experiment.env_config_of(task)
        for key in settings:
            if valid is not None and key not in valid:
                place = where(("tasks", task, key) if key in own else ("env_config", key))
                raise unknown(f"{experiment.env} setting", key, valid, place)
        try:
            found.append(declared(experiment.env, settings))
        except Exception as error:  # whatever a third party's constructor raises
            place = where(("tasks", task) if own else ("env_config",))
            reason = str(error).partition(" was raised from the environment creator")[0]
            raise UserError(f"{place}: {experiment.env} refuses its settings: {reason}") from error
    return Declared(
        tuple(sorted({name for one in found for name in one.metrics})),
        {name: dimensions for one in found for name, dimensions in one.arrays.items()},
        tuple(dict.fromkeys(name for one in found for name in one.reward_terms)),
    )


def _environment_settings(env: str) -> list[str] | None:
    """Return the keyword arguments of an environment; ``None`` where it takes any."""
    from gymnasium.envs.registration import load_env_creator, spec

    entry_point = spec(env).entry_point
    creator = load_env_creator(entry_point) if isinstance(entry_point, str) else entry_point
    parameters = inspect.signature(creator).parameters.values() if creator else ()
    if any(parameter.kind is parameter.VAR_KEYWORD for parameter in parameters):
        return None
    wrapping = ("max_episode_steps", "disable_env_checker")  # taken by gymnasium.make itself
    return [*(parameter.name for parameter in parameters), *wrapping]


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


def _new_config(algorithm: str, place: str) -> AlgorithmConfig:
    from expedition.algorithms import registry

    if algorithm not in registry.names():
        raise unknown("algorithm", algorithm, registry.names(), place)
    config: AlgorithmConfig = registry.config_class(algorithm)()
    return config


def _settings(config: AlgorithmConfig) -> list[str]:
    """Return the settings a config takes: its declared hyperparameters and RLlib's own."""
    return [name for name in vars(config) if not name.startswith("_")]


def _share_out(
    experiment: Experiment, configs: Mapping[str, AlgorithmConfig], where: Where
) -> Experiment:
    """Move common settings that some algorithm does not have to the variants that have them."""
    common = dict(experiment.config)
    own = {name: dict(variant.config) for name, variant in experiment.variants.items()}
    for key, value in experiment.config.items():
        takers = [name for name, config in configs.items() if _takes(config, key)]
        if not takers:
            names = [name for config in configs.values() for name in _declared(config)]
            raise unknown("setting", key, names, where(("config", key)))
        if len(takers) < len(configs):
            del common[key]
            for name in takers:
                own[name] = deep_merge({key: value}, own[name])
    variants = {
        name: variant.model_copy(update={"config": own[name]})
        for name, variant in experiment.variants.items()
    }
    return experiment.model_copy(update={"config": common, "variants": variants})


def _takes(config: AlgorithmConfig, key: str) -> bool:
    """Whether an algorithm has a setting, and one that can be set: not with a single value."""
    declared = _hyperparameters(config).get(key)
    if declared is not None:
        return declared.low is None or declared.low != declared.high
    return key in _settings(config)


def _check_settings(
    experiment: Experiment,
    typed: Mapping[str, Any],
    name: str,
    config: AlgorithmConfig,
    where: Where,
) -> None:
    """Check a variant's settings by name, then by value.

    Args:
        experiment: The experiment with common settings shared out.
        typed: The settings written at the variant itself.
        name: The variant.
        config: A new config of its algorithm; is filled in.
        where: Names the place of a key in messages.
    """

    def place(key: str) -> str:
        return where(("variants", name, "config", key) if key in typed else ("config", key))

    algorithm = experiment.variants[name].algorithm
    settings = experiment.config_of(name)
    valid = _settings(config)
    for key in settings:
        if key not in valid:
            names = _declared(config) or valid
            raise unknown(f"{algorithm} setting", key, names, place(key))
    try:
        task = next(iter(experiment.tasks))
        config.environment(experiment.env, env_config=experiment.env_config_of(task))
        config.update_from_dict(settings)
        config.validate()
    except (ValueError, TypeError) as error:
        culprit = next((key for key in settings if str(error).startswith(f"{key}=")), None)
        at = where(("variants", name)) if culprit is None else place(culprit)
        raise UserError(f"{at}: {error}") from error


def _hyperparameters(config: AlgorithmConfig) -> dict[str, Any]:
    """Return what our own configs declare; RLlib's declare nothing."""
    declare = getattr(type(config), "hyperparameters", None)
    return declare() if declare else {}


def _declared(config: AlgorithmConfig) -> list[str]:
    return [*_hyperparameters(config)]
