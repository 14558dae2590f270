"""The command ``dataset``: trajectories for methods that imitate."""

from __future__ import annotations

import json as encoding
from pathlib import Path
from typing import Annotated

import typer

from expedition.platform.cli import options as opt
from expedition.platform.errors import UserError


def register(app: typer.Typer) -> None:
    """Add the command to the command-line application."""
    app.command()(dataset)


def dataset(
    sources: Annotated[
        list[str],
        typer.Argument(
            metavar="SOURCE...",
            help="Folders of checkpoints or trials, names of experts (imitation_1d, "
            "swimmer_forward, swimmer_backward), Parquet files, minari:ID; they are pooled.",
        ),
    ],
    out: Annotated[Path, typer.Option(help="File to write: .parquet.")],
    episodes: Annotated[int, typer.Option(min=1, help="Episodes of each source.")] = 20,
    seed: Annotated[int, typer.Option(min=0, help="Seed of everything that is played.")] = 0,
    explore: Annotated[
        bool, typer.Option("--explore", help="Draw a checkpoint's actions instead of its mode.")
    ] = False,
    json: opt.Json = False,
) -> None:
    """Write trajectories to a Parquet file, for `clone` and `gan_imitation`."""
    if out.suffix != ".parquet":
        raise UserError(f"cannot write {out}: the name must end in .parquet")
    from expedition.algorithms.implicit_policy.imitation.trajectories import write_parquet
    from expedition.platform import demonstrations

    found = demonstrations.gather(sources, episodes=episodes, seed=seed, explore=explore)
    write_parquet(found, out)
    summary = {
        "file": str(out),
        "episodes": found.episodes,
        "steps": len(found.rewards),
        "return_mean": float(found.returns.mean()),
    }
    if json:
        typer.echo(encoding.dumps(summary, indent=2))
    else:
        typer.echo(
            f"{out}: {summary['episodes']} episodes, {summary['steps']:,} steps, "
            f"mean return {summary['return_mean']:.4g}"
        )
