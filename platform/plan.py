"""Trials of a launch: what each one runs, and the name of its folder.

A trial is one algorithm with one configuration on one task with one seed. Its id is its folder
below ``trials/``; the same experiment always gives the same trials in the same order.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from typing import Any

from expedition.platform.spec import Experiment, deep_merge
from expedition.platform.store import plain


@dataclass(frozen=True)
class Trial:
    """One training run.

    Attributes:
        experiment: Name of the experiment, e.g. ``smm/fig2c``.
        task: Name of the task.
        variant: Name of the variant.
        seed: Seed of the algorithm and its environments.
        algorithm: Name of the algorithm in the registry.
        env: Gymnasium id.
        env_config: Keyword arguments of the environment.
        config: Settings of the algorithm, over its defaults.
        budget: Environment steps to make, at least.
        resources: ``{"cpus": float, "gpus": float}``, and ``strategy`` where it is chosen.
        checkpoint_every: Training iterations between checkpoints.
        point: Name of the sweep point, ``None`` outside sweeps.
        search: Values that the sweep chose, by setting; they are part of ``config`` as well.
        stages: Stages in their order, each ``{"name": str, "env": str, "env_config": ...,
            "config": ..., "budget": int, "keep": [str]}``; empty where there are none. The
            trial's own environment and settings are those of the last, its budget is their sum.
    """

    experiment: str
    task: str
    variant: str
    seed: int
    algorithm: str
    env: str
    env_config: Mapping[str, Any]
    config: Mapping[str, Any]
    budget: int
    resources: Mapping[str, Any]
    checkpoint_every: int
    point: str | None = None
    search: Mapping[str, Any] = field(default_factory=dict)
    stages: Sequence[Mapping[str, Any]] = ()

    @property
    def id(self) -> str:
        """Folder below ``trials/``: ``<task>/<variant>/[<point>/]seed_<k>``."""
        parts = [self.task, self.variant, self.point, f"seed_{self.seed}"]
        return "/".join(part for part in parts if part)

    def to_dict(self) -> dict[str, Any]:
        """Give the content of ``trial.json``."""
        return dict(plain(asdict(self)))

    @classmethod
    def from_dict(cls, content: Mapping[str, Any]) -> Trial:
        """Read the content of ``trial.json``."""
        return cls(**{**content, "stages": tuple(content.get("stages", ()))})

    def at_stage(self, number: int) -> Trial:
        """Give one stage as a trial of its own; the trial itself where it has no stages."""
        if not self.stages:
            return self
        names = ("env", "env_config", "config", "budget")
        return replace(self, stages=(), **{name: self.stages[number][name] for name in names})

    def at(self, values: Mapping[str, Any], point: str | None = None) -> Trial:
        """Give this trial at a point of a sweep.

        Args:
            values: Setting -> value; a dotted setting reaches into a nested one.
            point: Name of the point; made from the values when not given.

        Returns:
            The trial with the values in its configuration.
        """
        stages = tuple({**s, "config": _searched(s["config"], values)} for s in self.stages)
        return replace(
            self,
            config=_searched(self.config, values),
            stages=stages,
            point=point or point_name(values),
            search=dict(values),
        )


def _searched(config: Mapping[str, Any], values: Mapping[str, Any]) -> dict[str, Any]:
    """Put the values of a sweep over settings."""
    merged = dict(config)
    for key, value in values.items():
        merged = deep_merge(merged, nested(key, value))
    return merged


def nested(key: str, value: Any) -> dict[str, Any]:
    """Turn a dotted key into nested mappings.

    Example:
        >>> nested("discriminator.lr", 0.1)
        {'discriminator': {'lr': 0.1}}
    """
    first, _, rest = key.partition(".")
    return {first: nested(rest, value) if rest else value}


def point_name(values: Mapping[str, Any]) -> str:
    """Name a sweep point by its values, so that the same point has the same folder after a crash.

    Args:
        values: Setting -> value.

    Returns:
        ``p`` and eight hexadecimal digits.
    """
    text = json.dumps(plain(values), sort_keys=True)
    return "p" + hashlib.sha256(text.encode()).hexdigest()[:8]


def trials_of(experiment: Experiment) -> list[Trial]:
    """List the trials of an experiment, seeds outermost.

    With the first seeds of every variant first, an interrupted or slow launch can already be
    compared across variants, and a second launch with more seeds only appends.

    Args:
        experiment: The resolved experiment.

    Returns:
        ``tasks x variants x seeds`` trials.
    """
    return [
        trial_of(experiment, task, variant, seed)
        for seed in experiment.seeds
        for task in experiment.tasks
        for variant in experiment.variants
    ]


def trial_of(experiment: Experiment, task: str, variant: str, seed: int) -> Trial:
    """Give one trial of an experiment.

    Args:
        experiment: The resolved experiment.
        task: Name of one of its tasks.
        variant: Name of one of its variants.
        seed: Seed.

    Returns:
        The trial, outside any sweep.
    """
    *_, last = experiment.stages_of(variant)
    return Trial(
        experiment=experiment.name,
        task=task,
        variant=variant,
        seed=seed,
        algorithm=experiment.variants[variant].algorithm,
        env=experiment.env_of(last),
        env_config=experiment.env_config_of(task, last),
        config=experiment.config_of(variant, last),
        budget=experiment.budget_of(variant),
        resources=experiment.resources.model_dump(exclude_none=True),
        checkpoint_every=experiment.checkpoint_every,
        stages=tuple(
            _stage(experiment, task, variant, name)
            for name in experiment.stages_of(variant)
            if name is not None
        ),
    )


def _stage(experiment: Experiment, task: str, variant: str, name: str) -> dict[str, Any]:
    """Write down one stage of a trial."""
    return {
        "name": name,
        "env": experiment.env_of(name),
        "env_config": experiment.env_config_of(task, name),
        "config": experiment.config_of(variant, name),
        "budget": experiment.stage_budget_of(variant, name),
        "keep": list(experiment.stages[name].keep),
    }
