"""Which folder a launch writes to, and whether it may: new, resumed, or in the way."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

from expedition.platform import staging
from expedition.platform.errors import UserError
from expedition.platform.places import address
from expedition.platform.spec import Experiment, load_resolved, to_yaml
from expedition.platform.store import RunFolder, explain, replacing, require_writable

_ALLOWED = "A-Za-z0-9._-"  # in the name of a run, which is a folder and part of addresses


def require_name(name: str) -> None:
    """Refuse the name of a run that is not that of a folder in the results folder.

    Raises:
        UserError: Says what a name is.
    """
    if not re.fullmatch(f"[A-Za-z0-9][{_ALLOWED}]*", name):
        raise UserError(
            f"--name {name!r}: a name is letters, digits, _, - and dots and begins with one of the"
            " first two; --results says in which folder"
        )


def open_run(
    results: Path, experiment: Experiment, *, name: str | None, resume: bool, kind: str = ""
) -> RunFolder:
    """Make or find the folder of a launch and write its resolved experiment.

    Args:
        results: Results folder.
        experiment: The resolved experiment.
        name: Name of the run. When not given: a new one with the time in it or, to resume, the
            newest run of the same experiment and preset.
        resume: Continue what is there.
        kind: Added to a name made here, e.g. ``sweep``.

    Returns:
        The folder, which exists and can be written.

    Raises:
        UserError: The name is none, or the folder cannot be written, is not empty and is not to be
            resumed, or holds another experiment.
    """
    if name is not None:
        require_name(name)
    staging.require_usable(results)
    require_writable(results)
    if resume and name is None:
        staging.refresh_index(results)
    folder = RunFolder(results / (name or _choose_name(results, experiment, kind, resume)))
    staging.refresh(folder)
    if folder.exists():
        if not resume:
            raise UserError(
                f"{address(folder.path)} already holds a run: continue it with --resume,"
                " or choose another --name"
            )
        if folder.spec.exists():
            _require_same(load_resolved(folder.spec), experiment, folder)
    require_writable(folder.path)
    try:
        with replacing(folder.spec) as temporary:
            temporary.write_text(to_yaml(experiment), encoding="utf-8")
    except OSError as error:
        raise explain(error, folder.path) from error
    return folder


def is_new(folder: RunFolder) -> bool:
    """Whether nothing but the experiment has been written into the folder of a run."""
    return [path.name for path in folder.path.iterdir()] == [folder.spec.name]


def _choose_name(results: Path, experiment: Experiment, kind: str, resume: bool) -> str:
    start = stem(experiment, kind)
    if resume:
        earlier = [path for path in results.glob(f"{start}-*-*") if _is_time(path.name, start)]
        if earlier:
            return max(earlier, key=lambda path: path.name).name
    return f"{start}-{datetime.now():%Y%m%d-%H%M%S}"


def stem(experiment: Experiment, kind: str = "") -> str:
    """Give what the names of an experiment's runs begin with, e.g. ``smm-fig2c-quick``.

    Args:
        experiment: The resolved experiment.
        kind: ``sweep``, or nothing.
    """
    parts = [*experiment.name.split("/"), experiment.preset, kind]
    return re.sub(f"[^{_ALLOWED}]+", "-", "-".join(part for part in parts if part))


def _is_time(name: str, stem: str) -> bool:
    """Whether a run's name is the stem and a time: ``smm-fig2c-quick-sweep-...`` is not a run."""
    digits = name.removeprefix(f"{stem}-").replace("-", "", 1)
    return len(digits) == 14 and digits.isdigit()


def _require_same(before: Experiment, now: Experiment, folder: RunFolder) -> None:
    """Refuse to mix two experiments in a folder; more seeds are welcome.

    Raises:
        UserError: Names the first key that differs.
    """
    old, new = before.model_dump(mode="json"), now.model_dump(mode="json")
    if set(old["seeds"]) <= set(new["seeds"]):
        old["seeds"] = new["seeds"]
    difference = first_difference(old, new)
    if difference is not None:
        key, was, wanted = difference
        raise UserError(
            f"{address(folder.path)} was started with {key}={was!r}, not {wanted!r}:"
            " resume it with the same settings, or choose another --name"
        )


def first_difference(old: Any, new: Any, key: str = "") -> tuple[str, Any, Any] | None:
    """Find the first place where two nested settings differ.

    Args:
        old: Settings before.
        new: Settings now.
        key: Dotted path of both.

    Returns:
        Dotted path, old value and new value; ``None`` when they are equal.
    """
    if isinstance(old, Mapping) and isinstance(new, Mapping):
        for name in [*old, *(name for name in new if name not in old)]:
            path = f"{key}.{name}" if key else str(name)
            found = first_difference(old.get(name), new.get(name), path)
            if found is not None:
                return found
        # Equal as mappings; the order of tasks and variants does not change any number.
        return None
    return None if old == new else (key, old, new)
