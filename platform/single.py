"""One method on one environment without a file: the experiment that ``expedition train`` runs."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from expedition.algorithms import registry
from expedition.envs.declared import Declared, declared
from expedition.platform import overrides as overriding
from expedition.platform.errors import unknown
from expedition.platform.overrides import Override
from expedition.platform.spec import Experiment, build

DEFAULT_STEPS = 100_000
RETURN = {"key": "train/return_mean", "label": "return an episode", "statistic": "last"}


def single_experiment(
    method: str,
    env: str,
    *,
    steps: int = DEFAULT_STEPS,
    seeds: int | Sequence[int] = 1,
    overrides: Sequence[Override] = (),
) -> Experiment:
    """Declare an experiment with one variant and one task.

    Args:
        method: Name of an algorithm.
        env: Gymnasium id.
        steps: Environment steps a seed.
        seeds: Count or list.
        overrides: ``--set`` options. A key that is no field of an experiment is a setting of the
            algorithm: ``alpha=0.1`` means ``config.alpha=0.1``.

    Returns:
        The experiment, its names checked.

    Raises:
        UserError: An unknown method, environment or setting.
    """
    from expedition.platform.checks import check

    if method not in registry.names():
        raise unknown("method", method, registry.names())
    data: dict[str, Any] = {
        "name": f"train/{method}-{file_name(env)}",
        "preset": "default",
        "paper": "train",
        "title": f"{method} on {env}",
        "env": env,
        "variants": {method: {"algorithm": method}},
        "seeds": seeds if isinstance(seeds, int) else list(seeds),
        "budget": steps,
        "metrics": {"return": RETURN},
    }
    changed = overriding.apply(data, [_to_experiment(override) for override in overrides])
    where = _place(overrides, env)
    experiment = build({**changed, **_shown(changed)}, where)
    return check(experiment, where)


def _to_experiment(override: Override) -> Override:
    if override.path[0] in Experiment.model_fields:
        return override
    return Override(("config", *override.path), override.value)


def _place(overrides: Sequence[Override], env: str) -> Any:
    """Make the function that says where a key was written, for messages."""
    typed = {_to_experiment(override).path: override.dotted for override in overrides}
    fixed: dict[tuple[str, ...], str] = {
        ("env",): f"ENV {env}",
        ("budget",): "--steps",
        ("seeds",): "--seeds",
    }

    def where(path: tuple[str, ...]) -> str:
        for full, dotted in typed.items():
            if path[: len(full)] == full:
                return f"--set {dotted}"
        return fixed.get(path, ".".join(path))

    return where


def _shown(data: Mapping[str, Any]) -> dict[str, Any]:
    """Add what the environment says it can measure: its coverage metrics and its map."""
    found = _declared(data["env"], data.get("env_config") or {})
    names = [file_name(name) for name in found.metrics]
    metrics = {"return": RETURN}
    metrics |= {
        name: {"key": f"coverage/{name}", "label": name.replace("_", " ")} for name in names
    }
    plots: list[dict[str, Any]] = [{"kind": "curves", "metric": name} for name in metrics]
    if found.arrays.get("visits") == 2:
        plots.append({"kind": "heatmap", "array": "train/visits", "log": True})
    return {"metrics": metrics, "plots": plots}


def _declared(env: str, env_config: Mapping[str, Any]) -> Declared:
    import gymnasium

    try:
        return declared(env, dict(env_config))
    except (gymnasium.error.Error, TypeError, ValueError, ImportError):
        return Declared()  # a wrong id or setting: the check that follows explains it


def file_name(text: str) -> str:
    """Turn an id into a name that is good for files: ``expedition/Navigation-v0`` and the like."""
    return re.sub(r"[^A-Za-z0-9_.+-]+", "-", text.rpartition("/")[2]).strip("-")
