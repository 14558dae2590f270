"""Commands on one checkpoint or on this machine: ``evaluate``, ``render`` and ``doctor``."""

from __future__ import annotations

import json as encoding
import os
import sys
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any

import typer

from expedition.platform.cli import options as opt

CheckpointPath = Annotated[
    Path,
    typer.Argument(metavar="CHECKPOINT", help="Folder of a checkpoint, or of a trial: its newest."),
]
Method = Annotated[str | None, typer.Option(help="Refuse a checkpoint that is not of this method.")]
Seed = Annotated[int, typer.Option(min=0, help="Seed of the environment and the policy.")]
Explore = Annotated[
    bool, typer.Option("--explore", help="Draw actions from the policy instead of its mode.")
]


def register(app: typer.Typer) -> None:
    """Add the inspecting commands to the command-line application."""
    for command in (evaluate, render, doctor):
        app.command()(command)


def evaluate(
    checkpoint: CheckpointPath,
    episodes: Annotated[int, typer.Option(min=1, help="Episodes to play.")] = 10,
    method: Method = None,
    seed: Seed = 0,
    explore: Explore = False,
    json: opt.Json = False,
) -> None:
    """Play episodes with a checkpoint: return, length and coverage."""
    from expedition.platform import evaluation

    found = evaluation.open_checkpoint(checkpoint, method)
    outcome = evaluation.evaluate(found, episodes=episodes, seed=seed, explore=explore)
    if json:
        typer.echo(encoding.dumps(outcome, indent=2))
    else:
        _print_evaluation(outcome)


def _print_evaluation(outcome: Mapping[str, Any]) -> None:
    typer.echo(
        f"{outcome['method']} on {outcome['env']} after {outcome['env_steps']:,} env steps, "
        f"{outcome['episodes']} episodes"
    )
    width = 2 + max(map(len, ("return", *outcome["coverage"])))
    for name in ("return", "length"):
        found = outcome[name]
        typer.echo(
            f"  {name:<{width}}{found['mean']:.4g} +- {found['std']:.4g}"
            f"  [{found['min']:.4g}, {found['max']:.4g}]"
        )
    for name, value in outcome["coverage"].items():
        typer.echo(f"  {name:<{width}}{value:.4g}")


def render(
    checkpoint: CheckpointPath,
    out: Annotated[Path, typer.Option(help="File to write: .mp4, .gif or .png.")],
    episodes: Annotated[int, typer.Option(min=1, help="Episodes to film.")] = 1,
    method: Method = None,
    seed: Seed = 0,
    explore: Explore = False,
    fps: Annotated[
        float | None, typer.Option(min=1, help="Frames a second; the environment's if not given.")
    ] = None,
) -> None:
    """Film a checkpoint; works without a screen."""
    from expedition.platform import evaluation, media

    media.check_suffix(out)
    found = evaluation.open_checkpoint(checkpoint, method)
    # MuJoCo reads this when it is imported; without a screen its default would fail.
    if sys.platform == "linux" and not os.environ.get("DISPLAY"):
        os.environ.setdefault("MUJOCO_GL", "egl")
    frames, own_fps = evaluation.film(found, episodes=episodes, seed=seed, explore=explore)
    media.write(out, frames, fps or own_fps or media.DEFAULT_FPS)
    typer.echo(f"{out}: {len(frames)} frames of {episodes} episode{'s' * (episodes > 1)}")


def doctor(results: opt.Results = None, json: opt.Json = False) -> None:
    """Look whether this machine can run experiments; status 1 if something needed is broken."""
    from expedition.platform.doctor import examine

    findings = examine(opt.results(results))
    if json:
        typer.echo(encoding.dumps([asdict(finding) for finding in findings], indent=2))
    else:
        for finding in findings:
            typer.echo(f"{finding.state:<8} {finding.name:<15} {finding.detail}")
            if finding.advice:
                typer.echo(f"{'':<24} -> {finding.advice}")
    raise typer.Exit(1 if any(finding.state == "broken" for finding in findings) else 0)
