"""A command line that is to run on a cluster: read and checked here, before anything is sent."""

from __future__ import annotations

import shlex
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import typer

from expedition.platform import catalog
from expedition.platform.cli import options as opt
from expedition.platform.errors import UserError, unknown
from expedition.platform.runfolder import require_name, stem
from expedition.platform.shared_runs import KEY
from expedition.platform.spec import Experiment

COMMANDS = ("run", "train", "sweep")
_MODULE = "expedition.platform.cli.app"


@dataclass(frozen=True)
class Request:
    """A checked command.

    Attributes:
        words: The command line, ``run smm/fig2c --seeds 8``; an experiment's file as it will be
            called on the cluster.
        experiment: What it resolves to here.
        run: Name of the run. The same experiment and preset has the same name each time, so that
            submitting it again goes on with it.
        files: Path on the cluster -> file here, for an experiment that is a file.
    """

    words: tuple[str, ...]
    experiment: Experiment
    run: str
    files: Mapping[str, Path]

    def entrypoint(self, storage: str) -> str:
        """Give the command of the job: what was asked for, into the shared folder, resumed.

        Args:
            storage: Results folder, as every node sees it.
        """
        fixed = ["--name", self.run, "--results", storage, "--address", "auto", "--resume"]
        return shlex.join(["python", "-m", _MODULE, *self.words, *fixed])

    def write_files(self, folder: Path) -> None:
        """Copy the experiment's files into the folder that is sent as the job's working folder."""
        for name, file in self.files.items():
            target = folder / name
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(file, target)


def read(words: Sequence[str]) -> Request:
    """Read and check a command line.

    Args:
        words: What follows ``--``, e.g. ``["run", "smm/fig2c", "--seeds", "8"]``.

    Returns:
        The request. Every name in it is known and every value allowed.

    Raises:
        UserError: The command cannot be submitted, or something in it is wrong.
        click.UsageError: An option is unknown or lacks its value.
    """
    if not words or words[0] not in COMMANDS:
        given = words[0] if words else ""
        raise unknown("command to submit", given, COMMANDS)
    settings = _settings(words)
    for name, instead in {"address": "--address", "results": "--storage"}.items():
        if settings[name] is not None:
            raise UserError(f"--{name} is for here: give {instead} before the -- instead")
    if settings["name"] is not None:
        require_name(settings["name"])
    experiment = _experiment(words[0], settings)
    kind = "sweep" if words[0] == "sweep" else ""
    files: dict[str, Path] = {}
    sent = tuple(words)
    target = settings.get("experiment", "")
    if target.endswith(catalog.SUFFIXES):
        name, files = _files(Path(target))
        sent = tuple(name if word == target else word for word in words)
    return Request(sent, experiment, settings["name"] or stem(experiment, kind), files)


def _settings(words: Sequence[str]) -> Mapping[str, Any]:
    """Parse the words with the very command that will read them on the cluster."""
    from expedition.platform.cli.app import app

    commands = getattr(typer.main.get_command(app), "commands", {})
    with commands[words[0]].make_context(words[0], list(words[1:])) as context:
        return dict(context.params)


def _experiment(command: str, settings: Mapping[str, Any]) -> Experiment:
    if command == "train":
        return _single(settings)
    chosen = opt.choices(*(settings[k] for k in ("preset", "variants", "tasks", "seeds", "sets")))
    experiment = catalog.load(settings["experiment"], chosen)
    if command == "sweep":
        from expedition.platform.schedulers import Sweep, sweepable

        experiment = sweepable(experiment, settings["metric"])
        Sweep(
            samples=settings["samples"],
            searcher=settings["searcher"],
            scheduler=settings["scheduler"],
            metric=experiment.headline[1],
            seed=settings["search_seed"],
        ).check(experiment)
    return experiment


def _single(settings: Mapping[str, Any]) -> Experiment:
    from expedition.platform.overrides import parse_seeds
    from expedition.platform.single import single_experiment

    return single_experiment(
        settings["method"],
        settings["env"],
        steps=settings["steps"],
        seeds=parse_seeds(settings["seeds"] or "1"),
        overrides=opt.overrides(settings["sets"]),
    )


def _files(path: Path) -> tuple[str, dict[str, Path]]:
    """Name an experiment's file on the cluster, and the file of the one whose runs it shares.

    The folder's name is kept: it names the experiment where the file does not.
    """
    from expedition.platform import yamlfile

    place = path.absolute().parent.name
    files = {f"{place}/{path.name}": path}
    base = str(yamlfile.read(path).data.get(KEY) or "")
    if base.endswith(catalog.SUFFIXES):
        if Path(base).name != base:
            raise UserError(f"{path}: {KEY} {base}: put the two files into one folder")
        files[f"{place}/{base}"] = path.parent / base
    return f"{place}/{path.name}", files
