"""The parts of an experiment's YAML file as frozen models: what each key takes and means."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, model_validator
from pydantic_core import PydanticCustomError

from expedition.platform.errors import nearest

Statistic = Literal["last", "last_half_mean", "mean", "max", "auc"]
Kept = Literal["replay", "optimisers"]
Distribution = Literal["grid_search", "choice", "uniform", "loguniform", "quniform", "randint"]

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]*")


def _folder_name(value: object) -> object:
    if not isinstance(value, str) or not _NAME.fullmatch(value):
        raise PydanticCustomError(
            "name", "'{value}' is not a name (letters, digits, _ and -)", {"value": str(value)}
        )
    return value


Name = Annotated[str, BeforeValidator(_folder_name)]  # also a folder in the run folder
Config = dict[str, Any]


class Strict(BaseModel):
    """A frozen model whose unknown keys are errors that name the nearest valid key."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=False)

    @model_validator(mode="before")
    @classmethod
    def _known_keys(cls, data: Any) -> Any:
        if not isinstance(data, Mapping):
            raise PydanticCustomError(
                "mapping", "must be a mapping of keys to values, not {got}", {"got": repr(data)}
            )
        for key in data:
            if key not in cls.model_fields:
                hint = nearest(key, cls.model_fields)
                raise PydanticCustomError(
                    "unknown_key", "unknown key '{key}'{hint}", {"key": str(key), "hint": hint}
                )
        return data


class Variant(Strict):
    """One line of a figure: an algorithm and its settings.

    Attributes:
        algorithm: Name in ``expedition list methods``.
        label: What figures call it; the variant's name when not given.
        config: Settings over the experiment's common ones.
        reference: Drawn as a dashed line and left out of rankings (a random policy, an expert).
        budget: Environment steps of its trials; the experiment's when not given.
        start: Stage at which it starts, from random parameters; the first when not given.
        stages: Settings at single stages, over all others.
    """

    algorithm: str
    label: str = ""
    config: Config = Field(default_factory=dict)
    reference: bool = False
    budget: int | None = Field(default=None, gt=0)
    start: str | None = None
    stages: dict[Name, Config] = Field(default_factory=dict)


class Stage(Strict):
    """A part of every trial: it starts from the parameters at the end of the stage before.

    Attributes:
        env: Gymnasium id; the experiment's, with its tasks, when not given.
        env_config: Settings of the environment: over the experiment's and the task's or, where
            the stage has an ``env`` of its own, alone.
        config: Algorithm settings over the variants'.
        budget: Environment steps of the stage; the variant's or the experiment's when not given.
        keep: What comes along from the stage before besides the networks.
    """

    env: str | None = None
    env_config: Config = Field(default_factory=dict)
    config: Config = Field(default_factory=dict)
    budget: int | None = Field(default=None, gt=0)
    keep: tuple[Kept, ...] = ()


class Resources(Strict):
    """What one trial asks Ray for.

    Attributes:
        cpus: CPU cores of its own process.
        gpus: GPUs of it; a fraction shares one.
        strategy: How its remote runners and actors are placed: ``PACK`` on as few nodes as can
            be, ``SPREAD`` over as many. The method's own when not given.
    """

    cpus: float = Field(default=1, gt=0)
    gpus: float = Field(default=0, ge=0)
    strategy: Literal["PACK", "SPREAD"] | None = None


class Metric(Strict):
    """A number per trial: a statistic of the curve of one metric key over environment steps.

    Attributes:
        key: Curated metric key, e.g. ``coverage/halls_window``.
        label: Axis label, with the unit in brackets; the key when not given.
        statistic: ``last`` | ``last_half_mean`` | ``mean`` | ``max`` | ``auc`` (area under the
            curve divided by its length, so in the key's own unit).
        higher_is_better: Direction of improvement; ``order`` claims follow it.
        stage: Stage whose curve is meant; the last when not given.
    """

    key: str
    label: str = ""
    statistic: Statistic = "last"
    higher_is_better: bool = True
    stage: str | None = None

    @property
    def axis_label(self) -> str:
        """What figures write on the axis."""
        return self.label or self.key


def seed_list(value: object) -> object:
    """Turn a count of seeds into 0..n-1; a list stays as it is."""
    if isinstance(value, bool) or not isinstance(value, int | list | tuple):
        raise PydanticCustomError("seeds", "must be a count or a list of whole numbers")
    if isinstance(value, int):
        if value < 1:
            raise PydanticCustomError("seeds", "must be at least 1, not {n}", {"n": value})
        return tuple(range(value))
    if not value:
        raise PydanticCustomError("seeds", "must name at least one seed")
    if any(isinstance(seed, bool) or not isinstance(seed, int) or seed < 0 for seed in value):
        raise PydanticCustomError("seeds", "must be whole numbers, 0 or more")
    if len(set(value)) != len(value):
        raise PydanticCustomError("seeds", "names a seed twice")
    return tuple(value)


def one_distribution(value: object) -> object:
    """Check one entry of ``search``: a distribution's name and arguments it can take."""
    if not isinstance(value, Mapping) or len(value) != 1:
        raise PydanticCustomError(
            "search",
            "must be one distribution, e.g. {example}",
            {"example": "{loguniform: [0.01, 1.0]}"},
        )
    ((kind, arguments),) = value.items()
    names = Distribution.__args__  # type: ignore[attr-defined]
    if kind not in names:
        raise PydanticCustomError(
            "search",
            "unknown distribution '{kind}'{hint}",
            {"kind": str(kind), "hint": nearest(kind, names)},
        )
    if not isinstance(arguments, list | tuple) or not arguments:
        raise PydanticCustomError("search", "{kind} needs a list", {"kind": kind})
    if kind in {"grid_search", "choice"}:
        return dict(value)
    count = 3 if kind == "quniform" else 2
    numeric = all(isinstance(a, int | float) and not isinstance(a, bool) for a in arguments)
    if len(arguments) != count or not numeric or arguments[0] >= arguments[1]:
        shape = "[low, high, step]" if count == 3 else "[low, high]"
        raise PydanticCustomError(
            "search", "{kind} needs {shape} with low < high", {"kind": kind, "shape": shape}
        )
    if kind == "loguniform" and arguments[0] <= 0:
        raise PydanticCustomError("search", "loguniform needs low > 0")
    return dict(value)
