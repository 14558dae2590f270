"""Look up the names of an experiment that live elsewhere, before anything starts.

Environments in Gymnasium's registry, algorithms and their settings in ours; metric keys and arrays
are looked up by ``names``. Imports Ray; the shape of a file is checked without it (``spec``).
"""

from __future__ import annotations

import importlib
import inspect
from collections.abc import Collection, Iterable, Mapping
from typing import TYPE_CHECKING, Any

from expedition.platform.errors import UserError, unknown
from expedition.platform.measured import check_arrays, check_metrics
from expedition.platform.spec import Experiment, Where, deep_merge

if TYPE_CHECKING:
    from ray.rllib.algorithms.algorithm_config import AlgorithmConfig

    from expedition.envs.declared import Declared


def check(
    experiment: Experiment, where: Where = ".".join, chosen: Collection[str] | None = None
) -> Experiment:
    """Check the environment, the algorithms, their settings and the metrics of an experiment.

    A common setting goes to the variants whose algorithm has it: a random policy has no
    temperature, and a figure's common temperature must not need one.

    Args:
        experiment: The resolved experiment.
        where: Names the place of a key in messages.
        chosen: Variants that run: the values of their settings are checked. All when not given.

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
    for name in experiment.variants if chosen is None else chosen:
        variant = experiment.variants[name]
        for stage in experiment.stages_of(name):
            fresh = _new_config(variant.algorithm, where(("variants", name, "algorithm")))
            at_stage = dict(shared.variants[name].stages.get(stage or "", {}))
            _check_settings(shared, (variant.config, at_stage), name, stage, fresh, where)
    known = {key for config in configs.values() for key in _settings(config)}
    for key in experiment.search:
        if key.split(".")[0] not in known:
            names = [name for config in configs.values() for name in _declared(config)]
            raise unknown("setting", key, names, where(("search", key)))
    return shared


def _check_environment(experiment: Experiment, where: Where) -> Declared:
    """Make the environment of every task once; return what they declare, together."""
    from expedition.envs.declared import Declared, declared

    stages: list[str | None] = [*experiment.stages] or [None]
    found: list[Declared] = []
    for stage in stages:
        env = experiment.env_of(stage)
        of_stage = ("stages", stage) if stage and experiment.stages[stage].env else ()
        _find_environment(env, where((*of_stage, "env")))
        valid = _environment_settings(env)
        for task in experiment.tasks:
            settings = experiment.env_config_of(task, stage)
            for key in settings:
                if valid is not None and key not in valid:
                    place = where(_place_of(experiment, task, stage, key))
                    raise unknown(f"{env} setting", key, valid, place)
            try:
                found.append(declared(env, settings))
            except Exception as error:  # whatever a third party's constructor raises
                place = where(_place_of(experiment, task, stage))
                reason = str(error).partition(" was raised from the environment creator")[0]
                raise UserError(f"{place}: {env} refuses its settings: {reason}") from error
    return Declared(
        tuple(sorted({name for one in found for name in one.metrics})),
        {name: dimensions for one in found for name, dimensions in one.arrays.items()},
        tuple(dict.fromkeys(name for one in found for name in one.reward_terms)),
    )


def _place_of(
    experiment: Experiment, task: str, stage: str | None, key: str | None = None
) -> tuple[str, ...]:
    """Return where a setting of the environment was written, or where settings were."""
    end = () if key is None else (key,)
    at_stage = experiment.stages[stage].env_config if stage else {}
    if stage and (experiment.stages[stage].env or key in at_stage or (not key and at_stage)):
        return ("stages", stage, "env_config", *end)
    own = experiment.tasks[task]
    return ("tasks", task, *end) if key in own or (not key and own) else ("env_config", *end)


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
    own = [name for name in vars(config) if not name.startswith("_")]
    # Some of RLlib's are properties, such as train_batch_size_per_learner.
    members = inspect.getmembers(type(config), lambda member: isinstance(member, property))
    return own + [name for name, member in members if member.fset]


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
    shared = experiment.model_copy(update={"config": common, "variants": variants})
    for stage in experiment.stages:
        shared = _share_out_stage(shared, stage, configs, where)
    return shared


def _share_out_stage(
    experiment: Experiment, stage: str, configs: Mapping[str, AlgorithmConfig], where: Where
) -> Experiment:
    """Move settings of a stage to the variants that have the stage and the setting."""
    variants = dict(experiment.variants)
    for key, value in experiment.stages[stage].config.items():
        takers = [name for name, config in configs.items() if _takes(config, key)]
        if not takers:
            names = [name for config in configs.values() for name in _declared(config)]
            raise unknown("setting", key, names, where(("stages", stage, "config", key)))
        for name in takers:
            variant = variants[name]
            if stage in experiment.stages_of(name):
                own = deep_merge({key: value}, variant.stages.get(stage, {}))
                stages = {**variant.stages, stage: own}
                variants[name] = variant.model_copy(update={"stages": stages})
    emptied = experiment.stages[stage].model_copy(update={"config": {}})
    kept = {**experiment.stages, stage: emptied}
    return experiment.model_copy(update={"stages": kept, "variants": variants})


def _takes(config: AlgorithmConfig, key: str) -> bool:
    """Whether an algorithm has a setting, and one that can be set: not with a single value."""
    declared = _hyperparameters(config).get(key)
    if declared is not None:
        return declared.low is None or declared.low != declared.high
    return key in _settings(config)


def _check_settings(
    experiment: Experiment,
    typed: tuple[Mapping[str, Any], Mapping[str, Any]],
    name: str,
    stage: str | None,
    config: AlgorithmConfig,
    where: Where,
) -> None:
    """Check a variant's settings by name, then by value.

    Args:
        experiment: The experiment with common settings shared out.
        typed: The settings written at the variant itself, and those of the stage.
        name: The variant.
        stage: The stage, if there are any.
        config: A new config of its algorithm; is filled in.
        where: Names the place of a key in messages.
    """

    def place(key: str) -> str:
        of_variant, of_stage = typed
        if stage and key in of_stage:
            return where(("stages", stage, "config", key))
        return where(("variants", name, "config", key) if key in of_variant else ("config", key))

    algorithm = experiment.variants[name].algorithm
    settings = experiment.config_of(name, stage)
    valid = _settings(config)
    for key in settings:
        if key not in valid:
            names = _declared(config) or valid
            raise unknown(f"{algorithm} setting", key, names, place(key))
    try:
        task = next(iter(experiment.tasks))
        config.environment(
            experiment.env_of(stage), env_config=experiment.env_config_of(task, stage)
        )
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
