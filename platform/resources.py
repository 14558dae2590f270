"""What a trial asks Ray for: its own process, and those of its remote runners and learners."""

from __future__ import annotations

from ray.tune import PlacementGroupFactory

from expedition.platform.building import algorithm_config
from expedition.platform.errors import UserError
from expedition.platform.plan import Trial


def request_for(trial: Trial) -> PlacementGroupFactory:
    """Ask for the resources of a trial: those of its largest stage, where it has several.

    The trial's own process gets ``resources`` of the experiment; remote env runners, learners and
    a method's own actors, if its configuration has any, get what the method asks for them. They
    are placed as ``resources.strategy`` says or, without it, as the method does.

    Args:
        trial: The trial.

    Returns:
        Tune's resource request.

    Raises:
        UserError: A setting of the algorithm is not allowed, or a process asks for nothing.
    """
    numbers = range(max(1, len(trial.stages)))
    requests = [_request_for(trial.at_stage(number)) for number in numbers]
    return max(requests, key=lambda request: sum(map(sum, map(dict.values, request.bundles))))


def _request_for(trial: Trial) -> PlacementGroupFactory:
    try:
        config = algorithm_config(trial)
        theirs = config.algo_class.default_resource_request(config)
    except (ValueError, TypeError, AttributeError, KeyError) as error:
        message = str(error) or type(error).__name__
        raise UserError(f"{trial.variant} ({trial.algorithm}): {message}") from error
    main = {"CPU": float(trial.resources["cpus"]), "GPU": float(trial.resources["gpus"])}
    remote = [dict(bundle) for bundle in theirs.bundles[1:]]
    if not all(any(bundle.values()) for bundle in remote):
        raise UserError(
            f"{trial.variant} ({trial.algorithm}): an actor or remote runner asks for no CPU, which"
            " Ray refuses: set component_cpus or num_cpus_per_env_runner above 0, 0.01 will do"
        )
    strategy = trial.resources.get("strategy") or theirs.strategy
    return PlacementGroupFactory([{k: v for k, v in main.items() if v}, *remote], strategy=strategy)
