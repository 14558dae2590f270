"""Commands on the results of a run: ``report`` and ``verify``."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from expedition.platform.cli.show import JsonOption
from expedition.platform.errors import UserError

if TYPE_CHECKING:
    from expedition.platform.claims import Result
    from expedition.platform.results import Run

NOT_VERIFIED = 1

ResultsOption = Annotated[
    Path | None,
    typer.Option(help="Results folder; EXPEDITION_RESULTS or ./results if left out."),
]
_COLOURS = {"confirmed": "green", "contradicted": "red", "inconclusive": "yellow"}


def register(app: typer.Typer) -> None:
    """Add the commands to the command-line application."""
    app.command()(report)
    app.command()(verify)


def report(
    run: Annotated[str, typer.Argument(help="Name of a run, or its folder.")],
    results: ResultsOption = None,
    as_json: JsonOption = False,
) -> None:
    """Make the report of a run anew, finished or not."""
    from expedition.platform import report as reporting
    from expedition.platform import staging
    from expedition.platform.results import find
    from expedition.platform.store import RunFolder

    folder = find(run, results)
    page = reporting.build(folder)
    if note := staging.end(RunFolder(folder)):
        typer.echo(note, err=True)
    typer.echo(json.dumps({"report": str(page)}) if as_json else str(page))


def verify(
    target: Annotated[
        str, typer.Argument(help="A run, its folder, or an experiment: its newest finished run.")
    ],
    results: ResultsOption = None,
    strict: Annotated[
        bool, typer.Option("--strict", help="Fail on inconclusive claims as well.")
    ] = False,
    as_json: JsonOption = False,
) -> None:
    """Say which claims hold; exit status 1 if one is contradicted or nothing could be judged."""
    from expedition.platform import claims
    from expedition.platform.results import read

    run = read(_find(target, results))
    verdicts = claims.judge(run)
    problem = _problem(run, verdicts, strict)
    if as_json:
        content = {
            "run": run.name,
            "experiment": run.experiment.name,
            "preset": run.experiment.preset,
            "verified": not problem,
            "reason": problem,
            "claims": [result.to_dict() for result in verdicts],
        }
        typer.echo(json.dumps(content, indent=2))
    else:
        _print(run, verdicts, problem)
    if problem:
        raise typer.Exit(NOT_VERIFIED)


def _find(target: str, results: Path | None) -> Path:
    """Find the run meant: a folder or a run's name first, then an experiment."""
    from expedition.platform import catalog
    from expedition.platform.results import find, newest_finished

    try:
        return find(target, results)
    except UserError:
        if target not in catalog.names() and not target.endswith(catalog.SUFFIXES):
            raise
    return newest_finished(catalog.open_document(target)[0], results)


def _problem(run: Run, verdicts: list[Result], strict: bool) -> str:
    """Say why the run does not verify, or nothing."""
    contradicted = [result.claim.id for result in verdicts if result.verdict == "contradicted"]
    if contradicted:
        return f"contradicted: {', '.join(contradicted)}"
    if not verdicts:
        return "the experiment makes no claims"
    if not (run.trials["state"] == "done").any():
        return "no trial has finished"
    open_ = [result.claim.id for result in verdicts if result.verdict == "inconclusive"]
    return f"inconclusive: {', '.join(open_)}" if strict and open_ else ""


def _print(run: Run, verdicts: list[Result], problem: str) -> None:
    from expedition.platform import claims

    typer.echo(f"{run.experiment.name} ({run.experiment.preset}), run {run.name}\n")
    for result in verdicts:
        typer.secho(f"{result.verdict:<13}", fg=_COLOURS[result.verdict], bold=True, nl=False)
        typer.echo(result.claim.says)
        typer.echo(f"{'':13}{result.reason}")
        if result.by_task:
            each = ", ".join(f"{j.tasks[0]} {j.verdict}" for j in result.by_task)
            typer.echo(f"{'':13}{each}")
        if result.claim.paper:
            typer.echo(f"{'':13}the paper: {result.claim.paper}")
        for note in result.notes:
            typer.echo(f"{'':13}{note}")
    counts = ", ".join(f"{n} {verdict}" for verdict, n in claims.count(verdicts).items())
    typer.echo(
        f"\n{counts}{f'; {problem}' if problem and not problem.startswith('contra') else ''}"
    )
