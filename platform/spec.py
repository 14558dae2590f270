"""An experiment as it runs: the resolved specification, its checks and its file.

``schema`` holds the parts. ``resolve`` makes an :class:`Experiment` from a YAML file, a preset and
the command line. ``checks`` looks up the names that live elsewhere (environments, algorithms,
metrics).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from copy import deepcopy
from pathlib import Path
from typing import Annotated, Any

from pydantic import BeforeValidator, Field, ValidationError
from pydantic_core import ErrorDetails

from expedition.platform import yamlfile
from expedition.platform.claim_schema import Claim
from expedition.platform.errors import UserError, nearest
from expedition.platform.plot_schema import Plot
from expedition.platform.schema import (
    Config,
    Metric,
    Name,
    Resources,
    Stage,
    Strict,
    Variant,
    one_distribution,
    seed_list,
)
from expedition.platform.yamlfile import KeyPath

Where = Callable[[KeyPath], str]
"""Names the place of a key in messages: ``("budget",)`` -> ``"fig2c.yaml:12: budget"``."""


def _one_task() -> dict[Name, Config]:
    return {"default": {}}


class Experiment(Strict):
    """An experiment with one preset applied: everything that decides what runs.

    Attributes:
        name: ``paper/file``, e.g. ``smm/fig2c``.
        preset: Name of the preset that was applied.
        paper: Short name of the paper, and of the folder in ``tune_specs/``.
        figure: Figure or table of the paper, e.g. ``Fig. 2c``.
        title: Heading of the report.
        description: What is plotted, in two or three sentences.
        same_runs_as: Name of the experiment whose runs these are; see ``shared_runs``.
        env: Gymnasium id.
        env_config: Settings of the environment common to all tasks.
        tasks: Settings of the environment that the figure compares, by name.
        config: Algorithm settings common to all variants.
        variants: What is compared, in the order of the figure.
        stages: Stages of a trial in their order, by name; without any, a trial is one.
        seeds: Seeds of every variant on every task.
        budget: Environment steps of a trial; a variant may have its own.
        resources: What a trial asks for.
        checkpoint_every: Training iterations between checkpoints.
        metrics: What the figure plots; the first is the headline.
        plots: Figures of the report.
        claims: What the paper says of the results.
        search: Sweep space, by algorithm setting.
    """

    name: str
    preset: str = "default"
    paper: Name
    figure: str = ""
    title: str
    description: str = ""
    same_runs_as: str | None = None
    env: str
    env_config: Config = Field(default_factory=dict)
    tasks: dict[Name, Config] = Field(default_factory=_one_task, min_length=1)
    config: Config = Field(default_factory=dict)
    variants: dict[Name, Variant] = Field(min_length=1)
    stages: dict[Name, Stage] = Field(default_factory=dict)
    seeds: Annotated[tuple[int, ...], BeforeValidator(seed_list)] = (0, 1, 2, 3)
    budget: int = Field(gt=0)
    resources: Resources = Field(default_factory=Resources)
    checkpoint_every: int = Field(default=10, gt=0)
    metrics: dict[Name, Metric] = Field(min_length=1)
    plots: tuple[Plot, ...] = ()
    claims: tuple[Claim, ...] = ()
    search: dict[str, Annotated[Config, BeforeValidator(one_distribution)]] = Field(
        default_factory=dict
    )

    @property
    def headline(self) -> tuple[str, Metric]:
        """Name and definition of the first metric, the one progress tables show."""
        return next(iter(self.metrics.items()))

    def label(self, variant: str) -> str:
        """What figures call a variant."""
        return self.variants[variant].label or variant

    def stages_of(self, variant: str) -> list[str | None]:
        """Stages of a trial of one variant in their order; ``[None]`` where there are none."""
        names: list[str | None] = [*self.stages]
        start = self.variants[variant].start
        return names[names.index(start) :] if start is not None else names or [None]

    def stage_of(self, metric: Metric) -> str | None:
        """Stage that a metric is about: its own or the last; ``None`` where there are none."""
        return metric.stage or next(reversed(self.stages), None)

    def env_of(self, stage: str | None = None) -> str:
        """Gymnasium id of the environment of a stage."""
        return (self.stages[stage].env if stage else None) or self.env

    def env_config_of(self, task: str, stage: str | None = None) -> Config:
        """Environment settings of one task, at a stage."""
        common = deep_merge(self.env_config, self.tasks[task])
        if stage is None:
            return common
        own = self.stages[stage]
        return deep_merge({} if own.env else common, own.env_config)

    def config_of(self, variant: str, stage: str | None = None) -> Config:
        """Algorithm settings of one variant: the common ones under its own, a stage's on top."""
        config = deep_merge(self.config, self.variants[variant].config)
        if stage is None:
            return config
        config = deep_merge(config, self.stages[stage].config)
        return deep_merge(config, self.variants[variant].stages.get(stage, {}))

    def stage_budget_of(self, variant: str, stage: str | None) -> int:
        """Environment steps of one variant at a stage."""
        own = self.stages[stage].budget if stage else None
        return own or self.variants[variant].budget or self.budget

    def budget_of(self, variant: str) -> int:
        """Environment steps of a trial of one variant, all of its stages together."""
        return sum(self.stage_budget_of(variant, stage) for stage in self.stages_of(variant))

    @property
    def env_steps(self) -> int:
        """Environment steps of one launch, sweep points aside."""
        once = sum(self.budget_of(variant) for variant in self.variants)
        return once * len(self.tasks) * len(self.seeds)

    @property
    def trial_count(self) -> int:
        """Trials of one launch, sweep points aside."""
        return len(self.tasks) * len(self.variants) * len(self.seeds)


def deep_merge(base: Mapping[str, Any], over: Mapping[str, Any]) -> dict[str, Any]:
    """Merge two nested mappings; what is not a mapping on both sides is replaced.

    Args:
        base: The settings underneath.
        over: The settings on top.

    Returns:
        A new mapping that shares nothing with either.
    """
    merged: dict[str, Any] = {key: deepcopy(value) for key, value in base.items()}
    for key, value in over.items():
        below = merged.get(key)
        if isinstance(below, Mapping) and isinstance(value, Mapping):
            merged[key] = deep_merge(below, value)
        else:
            merged[key] = deepcopy(value)
    return merged


def build(data: Mapping[str, Any], where: Where) -> Experiment:
    """Validate the merged settings of an experiment.

    Args:
        data: Keys as in the YAML file, presets merged and taken out.
        where: Names the place of a key in messages.

    Returns:
        The frozen experiment.

    Raises:
        UserError: A key, type or range is wrong; names the first and says how many more there are.
    """
    try:
        return Experiment.model_validate(dict(data))
    except ValidationError as error:
        details = error.errors(include_url=False)
        more = f" (and {len(details) - 1} more)" if len(details) > 1 else ""
        raise UserError(f"{_one_line(details[0], where)}{more}") from error


def to_yaml(experiment: Experiment) -> str:
    """Write a resolved experiment as YAML that :func:`load_resolved` reads back, equal."""
    return yamlfile.dump(experiment.model_dump(mode="json", exclude_none=True))


def load_resolved(path: Path) -> Experiment:
    """Read the resolved experiment of a run, ``<run>/spec.yaml``.

    Raises:
        UserError: The file is missing, not YAML, or not a resolved experiment.
    """
    document = yamlfile.read(Path(path))
    return build(document.data, document.where)


def _one_line(detail: ErrorDetails, where: Where) -> str:
    """Turn one of pydantic's error records into ``place: what is wrong``."""
    context = detail.get("ctx", {})
    path = tuple(str(part) for part in detail["loc"] if part != "[key]")
    message = detail["msg"]
    if detail["type"] == "unknown_key":
        path = (*path, str(context["key"]))
    elif detail["type"] == "missing":
        message = "required, but not given"
    elif detail["type"] == "literal_error":
        choices = str(context["expected"]).replace(" or ", ", ").replace("'", "").split(", ")
        message = f"unknown value {detail['input']!r}{nearest(detail['input'], choices)}"
    elif detail["type"] in _PLAIN:
        message = f"{_PLAIN[detail['type']].format(**context)}, not {detail['input']!r}"
    return f"{where(path)}: {message}"


_PLAIN = {
    "greater_than": "must be more than {gt:g}",
    "greater_than_equal": "must be {ge:g} or more",
    "int_type": "must be a whole number",
    "int_parsing": "must be a whole number",
    "int_from_float": "must be a whole number",
    "float_type": "must be a number",
    "float_parsing": "must be a number",
    "string_type": "must be text",
    "bool_type": "must be true or false",
    "bool_parsing": "must be true or false",
    "dict_type": "must be a mapping of keys to values",
    "tuple_type": "must be a list",
    "too_short": "must not be empty",
}
