"""Which experiments there are: those that come with the package, and the user's own YAML files."""

from __future__ import annotations

import importlib.util
from dataclasses import dataclass
from pathlib import Path

from expedition.platform import shared_runs, yamlfile
from expedition.platform.errors import UserError, unknown
from expedition.platform.resolve import Choices, resolve
from expedition.platform.spec import Experiment
from expedition.platform.yamlfile import Document

SUFFIXES = (".yaml", ".yml")


@dataclass(frozen=True)
class Entry:
    """An experiment that comes with the package, as ``expedition list`` shows it.

    Attributes:
        name: ``paper/file``.
        figure: Figure or table of the paper.
        title: One line.
    """

    name: str
    figure: str
    title: str


def folder() -> Path:
    """Return the folder of the experiments that come with the package."""
    found = importlib.util.find_spec("expedition.tune_specs")
    if found is None or not found.submodule_search_locations:
        raise UserError("the experiments are not installed; install the package again")
    return Path(next(iter(found.submodule_search_locations)))


def names() -> list[str]:
    """Return the names of the experiments that come with the package, sorted."""
    root = folder()
    return sorted(
        path.relative_to(root).with_suffix("").as_posix() for path in root.rglob("*.yaml")
    )


def entries() -> list[Entry]:
    """Return every experiment that comes with the package, without checking its names."""
    found = []
    for name in names():
        data = yamlfile.read(folder() / f"{name}.yaml").data
        found.append(Entry(name, str(data.get("figure", "")), str(data.get("title", ""))))
    return found


def open_document(target: str) -> tuple[str, Document]:
    """Find an experiment by name or by the path of a YAML file.

    Args:
        target: ``smm/fig2c``, or a path that ends in ``.yaml`` or ``.yml``.

    Returns:
        The experiment's name (``paper/file``) and its document, completed by the one whose runs it
        shares.

    Raises:
        UserError: There is no such experiment or file, or it is not YAML.
    """
    if target.endswith(SUFFIXES):
        path = Path(target)
        if not path.is_file():
            raise UserError(f"{target}: no such file")
        document = yamlfile.read(path)
        name = f"{document.data.get('paper', path.parent.name)}/{path.stem}"
    elif target not in names():
        raise unknown("experiment", target, names())
    else:
        name, path = target, folder() / f"{target}.yaml"
        document = yamlfile.read(path)
    base = document.data.get(shared_runs.KEY)
    if base is None:
        return name, document
    if str(base).endswith(SUFFIXES):
        base = str(path.parent / str(base))
    elif base not in names():
        raise unknown("experiment", str(base), names(), document.where((shared_runs.KEY,)))
    return name, shared_runs.complete(document, *open_document(str(base)))


def declared(target: str, choices: Choices | None = None) -> Experiment:
    """Resolve an experiment without looking up what lives outside its file.

    Quick, for it imports neither Ray nor the environments: for listings. See :func:`load`.

    Raises:
        UserError: One line naming the file, the key and the nearest valid name.
    """
    name, document = open_document(target)
    return resolve(document, name, choices or Choices()).experiment


def load(target: str, choices: Choices | None = None) -> Experiment:
    """Resolve an experiment and check every name in it, so that it can be run.

    Args:
        target: Name, or path of a YAML file.
        choices: Preset, selections and overrides; the quick preset when not given.

    Returns:
        The experiment.

    Raises:
        UserError: One line naming the file, the key and the nearest valid name.
    """
    from expedition.platform.checks import check

    name, document = open_document(target)
    experiment, where, whole = resolve(document, name, choices or Choices())
    checked = check(whole, where, experiment.variants)
    variants = {name: checked.variants[name] for name in experiment.variants}
    return checked.model_copy(update={"variants": variants})
