"""Commands of clusters: ``cluster``, ``submit``, ``jobs``, ``logs`` and ``stop``."""

from __future__ import annotations

import json as encoding
import shlex
import signal
import sys
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from expedition.cluster import old_logs
from expedition.platform import places
from expedition.platform.cli import options as opt
from expedition.platform.errors import UserError

if TYPE_CHECKING:
    from expedition.cluster.submission import Job

cluster = typer.Typer(help="A real Ray cluster of several nodes on this machine.")

Address = Annotated[
    str | None,
    typer.Option(help="The cluster's dashboard, http://head:8265; the local cluster if not given."),
]
JobName = Annotated[
    str | None,
    typer.Argument(metavar="JOB", help="A job's id, or its run; the newest if not given."),
]
_COLOURS = {"SUCCEEDED": "green", "FAILED": "red", "RUNNING": "cyan", "STOPPED": "yellow"}


def register(app: typer.Typer) -> None:
    """Add the commands to the command-line application (entry point ``expedition.commands``)."""
    app.add_typer(cluster, name="cluster")
    for command in (submit, jobs, logs, stop):
        app.command()(command)


@cluster.command()
def up(
    nodes: Annotated[int | None, typer.Option(min=1, help="Nodes, the head among them.")] = None,
    cpus: Annotated[str, typer.Option(help="CPUs of each node, e.g. 1,1,2, or of all.")] = "1",
    object_store: Annotated[
        int, typer.Option(min=80, help="Shared memory of a node's object store, in MiB.")
    ] = 256,
    port: Annotated[
        int | None, typer.Option(min=1024, help="Port of the dashboard; a free one if not given.")
    ] = None,
    keep_logs: Annotated[
        int, typer.Option(min=0, help="Log files of ended processes that stay on each node.")
    ] = old_logs.KEPT,
) -> None:
    """Start a cluster: a head and workers, reachable from this machine only."""
    from expedition.cluster import local, state

    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # so that what has started is ended
    planned = state.plan_nodes(nodes, _numbers(cpus))
    started = local.up(
        planned, object_store_mib=object_store, dashboard_port=port, kept_logs=keep_logs
    )
    typer.echo(
        f"{len(started.nodes)} nodes with {started.cpus} CPUs at {started.address}\n"
        "  expedition submit -- run smm/fig2c     run an experiment on it\n"
        "  expedition cluster down                end it"
    )


@cluster.command()
def status(json: opt.Json = False) -> None:
    """Show the cluster's nodes; status 1 when one is not alive."""
    from expedition.cluster import local

    found, nodes = local.status()
    if json:
        content = {"address": found.address, "nodes": [asdict(node) for node in nodes]}
        typer.echo(encoding.dumps(content, indent=2))
    else:
        typer.echo(found.address)
        for node in nodes:
            typer.echo(
                f"  {node.name:<8} {node.state:<8} {node.cpus} CPUs  {node.processes} processes"
            )
    raise typer.Exit(0 if all(node.state == "alive" for node in nodes) else 1)


@cluster.command()
def down() -> None:
    """End the cluster and remove what it left, also after a crash."""
    from expedition.cluster import local

    ended = local.down()
    typer.echo(f"ended the cluster at {ended.address}" if ended else "there is no local cluster")


@cluster.command()
def env() -> None:
    """Print variables for this shell: eval "$(expedition cluster env)", then --address auto."""
    from expedition.cluster import local

    for name, value in local.environment(local.status()[0]).items():
        typer.echo(f"export {name}={shlex.quote(value)}")


def _numbers(text: str) -> list[int]:
    try:
        return [int(part) for part in text.split(",")]
    except ValueError as error:
        raise UserError(f"--cpus {text}: whole numbers, separated by commas") from error


def submit(
    command: Annotated[
        list[str], typer.Argument(metavar="-- COMMAND", help="run, train or sweep and its options.")
    ],
    address: Address = None,
    storage: Annotated[
        Path | None,
        typer.Option(
            help="Results: a folder that every node sees, or s3://...; --results' default if local."
        ),
    ] = None,
    tracking: Annotated[
        str | None, typer.Option(help="MLflow server; MLFLOW_TRACKING_URI if not given.")
    ] = None,
    follow: Annotated[
        bool, typer.Option("--follow", help="Show what it prints, and end as it ends.")
    ] = False,
    json: opt.Json = False,
) -> None:
    """Run an experiment on a cluster; the same one again goes on where it was."""
    from expedition.cluster import submission
    from expedition.cluster.dashboard import connect
    from expedition.cluster.request import read
    from expedition.platform.session import quiet

    dashboard = connect(address)
    dashboard.require_ray()
    place = _storage(storage, dashboard.local)
    quiet("--debug" in sys.argv)  # imports RLlib, which takes seconds: after what is quick to tell
    request = read(command)
    job = submission.submit(
        dashboard, request, place, tracking or submission.default_tracking(),
        lambda line: typer.echo(line, err=json),
    )  # fmt: skip
    if json:
        typer.echo(encoding.dumps(asdict(job), indent=2))
    else:
        typer.echo(
            f"job {job.id}: {len(request.experiment.variants)} variants,"
            f" {request.experiment.trial_count} trials -> {places.address(place / request.run)}"
        )
    if follow:
        _follow(dashboard.address, job)
    elif not json:
        typer.echo(f"  expedition logs --follow {job.id}")


def _storage(chosen: Path | None, local: bool) -> Path:
    """Choose the results folder of a job.

    Raises:
        UserError: The nodes of a cluster elsewhere cannot know which.
    """
    if chosen is None and not local:
        raise UserError(
            "--storage is needed: the folder for results that every node of the cluster sees,"
            " or s3://BUCKET/PREFIX"
        )
    if chosen is not None and not (local or places.is_uri(chosen) or chosen.is_absolute()):
        raise UserError(f"--storage {chosen}: must begin with /, as every node sees it")
    return opt.results(chosen)


def jobs(address: Address = None, json: opt.Json = False) -> None:
    """List the jobs of a cluster, the newest first."""
    from expedition.cluster import submission
    from expedition.cluster.dashboard import connect

    found = submission.jobs(connect(address))
    if json:
        typer.echo(encoding.dumps([asdict(job) for job in found], indent=2))
        return
    width = max((len(job.id) for job in found), default=0)
    for job in found:
        typer.secho(f"{job.status:<10}", fg=_COLOURS.get(job.status), nl=False)
        typer.echo(f" {job.id:<{width}}  {job.started:<25}  {job.seconds:>8.0f} s  {job.storage}")


def logs(
    job: JobName = None,
    follow: Annotated[
        bool, typer.Option("--follow", "-f", help="Go on until the job ends, and end as it ends.")
    ] = False,
    address: Address = None,
) -> None:
    """Show what a job prints."""
    from expedition.cluster import submission
    from expedition.cluster.dashboard import connect

    dashboard = connect(address)
    found = submission.find(dashboard, job)
    if follow:
        _follow(address, found)
    typer.echo(submission.logs(dashboard, found), nl=False)


def _follow(address: str | None, job: Job) -> None:
    """Show a job until it ends; the exit status is 0 if it succeeded."""
    from expedition.cluster import submission
    from expedition.cluster.dashboard import connect

    ended = submission.follow(connect(address), job, lambda text: typer.echo(text, nl=False))
    if ended.status != submission.SUCCEEDED:
        typer.echo(f"job {ended.id} {ended.status.lower()}: {ended.message}", err=True)
    raise typer.Exit(0 if ended.status == submission.SUCCEEDED else 1)


def stop(job: JobName = None, address: Address = None) -> None:
    """Stop a job in order: its trials are saved, and submitting it again goes on from there."""
    from expedition.cluster import submission
    from expedition.cluster.dashboard import connect

    dashboard = connect(address)
    found = submission.find(dashboard, job)
    ended = submission.stop(dashboard, found, typer.echo)
    typer.echo(f"job {ended.id} has ended: {ended.status}")
