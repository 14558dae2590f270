"""Options that several commands share, and what they mean."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from expedition.platform.overrides import Override, parse, parse_seeds
from expedition.platform.resolve import Choices
from expedition.platform.store import results_folder

Preset = Annotated[
    str | None, typer.Option(help="Preset of the experiment; 'quick' where it has one.")
]
Variants = Annotated[str | None, typer.Option(help="Variants to run, e.g. smm,sac.")]
Tasks = Annotated[str | None, typer.Option(help="Tasks to run, e.g. halls-3,halls-5.")]
Seeds = Annotated[str | None, typer.Option(help="How many seeds (4), or which (0,3,5).")]
Sets = Annotated[
    list[str] | None,
    typer.Option("--set", metavar="KEY=VALUE", help="Change a field; may be repeated."),
]
Results = Annotated[
    Path | None,
    typer.Option(help="Folder or s3://BUCKET/PREFIX; else EXPEDITION_RESULTS or ./results."),
]
Name = Annotated[str | None, typer.Option(help="Name of the run; made from the time if not given.")]
Resume = Annotated[
    bool,
    typer.Option("--resume", help="Finish what an earlier launch of the run left unfinished."),
]
Address = Annotated[
    str | None,
    typer.Option(help="Ray cluster: auto, host:port or ray://host:port; else this machine."),
]
NoTrack = Annotated[bool, typer.Option("--no-track", help="Do not send the run to MLflow.")]
ArtifactLimit = Annotated[
    float,
    typer.Option(min=0, help="Send final checkpoints up to this size (MiB) to MLflow; 0: none."),
]
Json = Annotated[bool, typer.Option("--json", help="Print the outcome as JSON.")]


def choices(
    preset: str | None,
    variants: str | None,
    tasks: str | None,
    seeds: str | None,
    sets: Sequence[str] | None,
) -> Choices:
    """Read what the command line chooses of an experiment.

    Raises:
        UserError: Seeds or a ``--set`` that cannot be read.
    """
    return Choices(
        preset=preset,
        variants=names(variants),
        tasks=names(tasks),
        seeds=None if seeds is None else parse_seeds(seeds),
        overrides=overrides(sets),
    )


def overrides(sets: Sequence[str] | None) -> tuple[Override, ...]:
    """Read ``--set`` options.

    Raises:
        UserError: One cannot be read.
    """
    return tuple(parse(text) for text in sets or ())


def names(text: str | None) -> tuple[str, ...] | None:
    """Read a list of names separated by commas."""
    if text is None:
        return None
    return tuple(part.strip() for part in text.split(",") if part.strip())


def progress_console(json_wanted: bool) -> Console:
    """Choose where progress goes: standard error where standard output is data."""
    return Console(file=sys.stderr if json_wanted else sys.stdout, highlight=False)


def results(chosen: Path | None) -> Path:
    """Choose the results folder."""
    return results_folder(chosen)
