"""Commands that start trials: ``run``, ``train``, ``sweep``; and ``track``, which sends them."""

from __future__ import annotations

import json as encoding
import sys
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from expedition.platform.cli import options as opt

if TYPE_CHECKING:
    from expedition.platform.launch import Options, Outcome
    from expedition.platform.schedulers import Sweep
    from expedition.platform.schema import Metric
    from expedition.platform.spec import Experiment

Target = Annotated[str, typer.Argument(metavar="EXPERIMENT", help="E.g. smm/fig2c, or a file.")]


def register(app: typer.Typer) -> None:
    """Add the launching commands to the command-line application."""
    for command in (run, train, sweep, track):
        app.command()(command)


def run(
    experiment: Target,
    preset: opt.Preset = None,
    variants: opt.Variants = None,
    tasks: opt.Tasks = None,
    seeds: opt.Seeds = None,
    sets: opt.Sets = None,
    results: opt.Results = None,
    name: opt.Name = None,
    resume: opt.Resume = False,
    address: opt.Address = None,
    no_track: opt.NoTrack = False,
    artifact_limit: opt.ArtifactLimit = 50.0,
    json: opt.Json = False,
) -> None:
    """Run an experiment: all variants, tasks and seeds, then its report and verdicts."""
    from expedition.platform import catalog

    chosen = opt.choices(preset, variants, tasks, seeds, sets)
    launching = _options(results, name, resume, address, no_track, artifact_limit, json)
    _launch(lambda: catalog.load(experiment, chosen), launching, json)


def train(
    method: Annotated[str, typer.Argument(help="A method: see expedition list methods.")],
    env: Annotated[str, typer.Argument(help="Any Gymnasium id, e.g. Pendulum-v1.")],
    steps: Annotated[int, typer.Option(min=1, help="Environment steps a seed.")] = 100_000,
    seeds: opt.Seeds = "1",
    sets: opt.Sets = None,
    results: opt.Results = None,
    name: opt.Name = None,
    resume: opt.Resume = False,
    address: opt.Address = None,
    no_track: opt.NoTrack = False,
    artifact_limit: opt.ArtifactLimit = 50.0,
    json: opt.Json = False,
) -> None:
    """Train one method on any Gymnasium environment, without an experiment file."""
    from expedition.platform.overrides import parse_seeds
    from expedition.platform.single import single_experiment

    overrides, which = opt.overrides(sets), parse_seeds(seeds or "1")
    launching = _options(results, name, resume, address, no_track, artifact_limit, json)
    _launch(
        lambda: single_experiment(method, env, steps=steps, seeds=which, overrides=overrides),
        launching,
        json,
    )


def sweep(
    experiment: Target,
    samples: Annotated[int, typer.Option(help="Points a variant.")] = 16,
    searcher: Annotated[str, typer.Option(help="random, grid or optuna.")] = "random",
    scheduler: Annotated[str, typer.Option(help="none, asha, median or pbt.")] = "none",
    metric: Annotated[
        str | None, typer.Option(help="Metric of the experiment to optimise; else its first.")
    ] = None,
    search_seed: Annotated[int, typer.Option(help="Seed of the points.")] = 0,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Say what the sweep costs, and start nothing.")
    ] = False,
    preset: opt.Preset = None,
    variants: opt.Variants = None,
    tasks: opt.Tasks = None,
    seeds: opt.Seeds = "1",
    sets: opt.Sets = None,
    results: opt.Results = None,
    name: opt.Name = None,
    resume: opt.Resume = False,
    address: opt.Address = None,
    no_track: opt.NoTrack = False,
    artifact_limit: opt.ArtifactLimit = 0.0,
    json: opt.Json = False,
) -> None:
    """Search the settings of an experiment's search space for the best."""
    from expedition.platform import catalog
    from expedition.platform.schedulers import Sweep, sweepable

    chosen = opt.choices(preset, variants, tasks, seeds, sets)
    launching = _options(results, name, resume, address, no_track, artifact_limit, json)

    def load() -> Experiment:
        return sweepable(catalog.load(experiment, chosen), metric)

    def search(headline: Metric) -> Sweep:
        return Sweep(samples, searcher, scheduler, headline, search_seed)

    if dry_run:
        _tell_cost(load(), search, launching.results, json)
    else:
        _launch(load, launching, json, search)


def _tell_cost(
    experiment: Experiment, search: Callable[[Metric], Sweep], results: Path, json: bool
) -> None:
    from expedition.platform.forecast import describe, forecast

    found = forecast(experiment, search(experiment.headline[1]), results)
    if json:
        typer.echo(encoding.dumps(asdict(found), indent=2))
        return
    typer.echo(f"{experiment.name} ({experiment.preset})")
    for line in describe(found):
        typer.echo(line)


def track(
    target: Annotated[str, typer.Argument(metavar="RUN", help="Name or folder of a run.")],
    results: opt.Results = None,
    artifact_limit: opt.ArtifactLimit = 50.0,
) -> None:
    """Send a run to MLflow: what a server that was down has missed, or all of it."""
    from expedition.platform import results as reading
    from expedition.platform.errors import UserError
    from expedition.platform.store import RunFolder
    from expedition.platform.tracking import first_line, tracking_uri

    folder = RunFolder(reading.find(target, results))
    uri = tracking_uri(folder)
    from expedition.platform.mlflow_store import Sender

    try:
        Sender(folder, uri, artifact_limit).send(final=True)
    except Exception as error:  # MLflow raises its own, requests', SQLAlchemy's errors
        raise UserError(f"MLflow at {uri} does not answer: {first_line(error)}") from error
    typer.echo(f"{folder.path} is in MLflow at {uri}")


def _options(
    results: Path | None,
    name: str | None,
    resume: bool,
    address: str | None,
    no_track: bool,
    artifact_limit: float,
    json: bool,
) -> Options:
    from expedition.platform.launch import Options

    return Options(
        results=opt.results(results),
        name=name,
        resume=resume,
        address=address,
        track=not no_track,
        artifact_limit_mib=artifact_limit,
        debug="--debug" in sys.argv,
        console=opt.progress_console(json),
    )


def _launch(
    load: Callable[[], Experiment],
    options: Options,
    json: bool,
    search: Callable[[Metric], Sweep] | None = None,
) -> None:
    """Load, run, report and say how it ended; the exit status is 0 if every trial is done."""
    from expedition.platform.cli import outcome as telling
    from expedition.platform.launch import launch
    from expedition.platform.session import quiet

    quiet(options.debug)
    experiment = load()
    sweep = search(experiment.headline[1]) if search else None
    ended = launch(experiment, options, sweep, report=True)
    if ended.interrupted:
        _stopped(ended, options)
    telling.tell(ended, json=json)
    raise typer.Exit(0 if ended.complete else 1)


def _stopped(ended: Outcome, options: Options) -> None:
    from expedition.platform.launch import resume_command

    again = resume_command(options.command, ended.folder)
    typer.echo(f"interrupted; nothing is lost, go on with: {again}", err=True)
    raise typer.Exit(130)
