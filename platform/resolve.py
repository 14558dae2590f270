"""From a YAML file, a preset and the command line to the experiment that runs."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from expedition.platform import overrides as overriding
from expedition.platform.errors import UserError, unknown
from expedition.platform.overrides import Override
from expedition.platform.spec import Experiment, Where, build, deep_merge
from expedition.platform.yamlfile import Document, KeyPath

DEFAULT_PRESET = "quick"
NO_PRESET = "default"  # what a file without presets, or without a quick one, runs as
SELECTABLE = ("tasks", "variants")


class Resolved(NamedTuple):
    """A resolved experiment and where its keys were written.

    Attributes:
        experiment: The experiment that runs.
        where: Names the place of a key in messages.
        whole: The same with all of the file's variants: common settings are for them, too.
    """

    experiment: Experiment
    where: Where
    whole: Experiment


@dataclass(frozen=True)
class Choices:
    """What the command line chooses.

    Attributes:
        preset: Name of the preset; ``quick`` where the file has one, else the bare settings.
        variants: Variants to run; the preset's when not given.
        tasks: Tasks to run; the preset's when not given.
        seeds: Count or list of seeds.
        overrides: ``--set`` options, applied last and in order.
    """

    preset: str | None = None
    variants: Sequence[str] | None = None
    tasks: Sequence[str] | None = None
    seeds: int | Sequence[int] | None = None
    overrides: Sequence[Override] = ()


def presets(document: Document) -> dict[str, dict[str, Any]]:
    """Return the presets of a file by name.

    Raises:
        UserError: A preset is not a mapping.
    """
    declared = document.data.get("presets") or {}
    if not isinstance(declared, Mapping):
        raise UserError(f"{document.where(('presets',))}: must be a mapping of names to settings")
    for name, preset in declared.items():
        if not isinstance(preset, Mapping | None):
            raise UserError(f"{document.where(('presets', name))}: must be a mapping of settings")
    return {name: dict(preset or {}) for name, preset in declared.items()}


def resolve(document: Document, name: str, choices: Choices) -> Resolved:
    """Apply a preset, the overrides and the selections to an experiment's file.

    Args:
        document: The file.
        name: What the experiment is called, e.g. ``smm/fig2c``.
        choices: What the command line says.

    Returns:
        The experiment that runs, with only the selected variants and tasks, and its places.

    Raises:
        UserError: Anything unknown, missing or out of range: file, key and nearest valid name.
    """
    preset_name, preset = _choose_preset(document, choices.preset)
    selections = {key: preset[key] for key in SELECTABLE if isinstance(preset.get(key), list)}
    base = {key: value for key, value in document.data.items() if key != "presets"}
    patch = {key: value for key, value in preset.items() if key not in selections}
    data = overriding.apply(deep_merge(base, patch), choices.overrides)
    data |= {"name": name, "preset": preset_name}
    if choices.seeds is not None:
        data["seeds"] = choices.seeds if isinstance(choices.seeds, int) else list(choices.seeds)
    where = _place_finder(document, preset_name, choices, data)
    experiment = build(data, where)
    _check_references(experiment, where)
    whole = experiment
    for key in SELECTABLE:
        typed = getattr(choices, key)
        source = f"--{key}" if typed is not None else where((key,))
        wanted = typed if typed is not None else selections.get(key)
        if wanted is not None:
            experiment = _select(experiment, key, wanted, source)
    return Resolved(experiment, where, whole.model_copy(update={"tasks": experiment.tasks}))


def _choose_preset(document: Document, wanted: str | None) -> tuple[str, dict[str, Any]]:
    declared = presets(document)
    if wanted is None:
        wanted = DEFAULT_PRESET if DEFAULT_PRESET in declared else NO_PRESET
    if wanted == NO_PRESET:
        return wanted, declared.get(wanted, {})
    if wanted not in declared:
        raise unknown("preset", wanted, declared, document.name)
    return wanted, declared[wanted]


def _place_finder(document: Document, preset: str, choices: Choices, data: Mapping) -> Where:
    """Make the function that says where a key was written: command line, preset or file."""
    typed = {override.path for override in choices.overrides}

    def depth(path: KeyPath) -> int:
        return max((n for n in range(len(path) + 1) if path[:n] in document.lines), default=0)

    def where(path: KeyPath) -> str:
        if any(path[: len(key)] == key for key in typed):
            return f"--set {'.'.join(path)}"
        if path == ("seeds",) and choices.seeds is not None:
            return "--seeds"
        inside = ("presets", preset, *path)
        if depth(inside) - 2 >= max(depth(path), 1):
            path = inside
        return document.where(path).replace(".".join(path), _readable(path, data))

    return where


def _readable(path: KeyPath, data: Mapping) -> str:
    """Write a path with a claim's id in place of its position."""
    if len(path) > 1 and path[0] == "claims" and path[1].isdigit():
        claims = data.get("claims", [])
        claim = claims[int(path[1])] if int(path[1]) < len(claims) else None
        if isinstance(claim, Mapping) and "id" in claim:
            path = (path[0], str(claim["id"]), *path[2:])
    return ".".join(path)


def _check_references(experiment: Experiment, where: Where) -> None:
    """Check that claims and plots name metrics, variants, tasks and stages of the same file."""
    for name, metric in experiment.metrics.items():
        _known_stage(experiment, [metric.stage], where(("metrics", name, "stage")))
    for name, variant in experiment.variants.items():
        _known_stage(experiment, [variant.start], where(("variants", name, "start")))
        _known_stage(experiment, variant.stages, where(("variants", name, "stages")))
    seen: set[str] = set()
    for position, claim in enumerate(experiment.claims):
        at: KeyPath = ("claims", str(position))
        if claim.id in seen:
            raise UserError(f"{where((*at, 'id'))}: the id '{claim.id}' is given twice")
        seen.add(claim.id)
        _known("metric", [claim.metric], experiment.metrics, where((*at, "metric")))
        for key, named in (("minus", claim.minus), ("than", claim.than)):
            if named is not None:
                _known("metric", [named], experiment.metrics, where((*at, key)))
        key = "variants" if claim.variants else "variant"
        _known("variant", claim.named_variants, experiment.variants, where((*at, key)))
        _known("variant", claim.paper_values, experiment.variants, where((*at, "paper_values")))
        _known("task", claim.tasks or (), experiment.tasks, where((*at, "tasks")))
    for position, plot in enumerate(experiment.plots):
        at = ("plots", str(position))
        key = "metrics" if plot.metrics else "metric"
        _known("metric", plot.all_metrics, experiment.metrics, where((*at, key)))
        _known("variant", plot.variants or (), experiment.variants, where((*at, "variants")))


def _known_stage(experiment: Experiment, names: Iterable[str | None], place: str) -> None:
    given = [name for name in names if name is not None]
    if given and not experiment.stages:
        raise UserError(f"{place}: the experiment has no 'stages'")
    _known("stage", given, experiment.stages, place)


def _known(kind: str, names: Iterable[str], valid: Iterable[str], place: str) -> None:
    for name in names:
        if name not in valid:
            raise unknown(kind, name, valid, place)


def _select(experiment: Experiment, key: str, wanted: Sequence[str], place: str) -> Experiment:
    """Keep the wanted entries of ``tasks`` or ``variants``, in the file's order."""
    available: Mapping[str, Any] = getattr(experiment, key)
    _known(key.removesuffix("s"), wanted, available, place)
    if not wanted:
        raise UserError(f"{place}: must name at least one of {', '.join(available)}")
    kept = {name: entry for name, entry in available.items() if name in wanted}
    return experiment.model_copy(update={key: kept})
