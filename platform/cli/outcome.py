"""What a launch prints when it has ended: failures, verdicts or best points, and the report."""

from __future__ import annotations

import json as encoding
from typing import TYPE_CHECKING, Any

import typer
from rich.console import Console
from rich.table import Table

from expedition.platform import claims, results, tables
from expedition.platform.results import Run
from expedition.platform.store import DONE, plain

if TYPE_CHECKING:
    from expedition.platform.launch import Outcome

BEST_SHOWN = 10
_STYLES = {"confirmed": "green", "contradicted": "red", "inconclusive": "yellow"}


def tell(outcome: Outcome, *, json: bool) -> None:
    """Print how a launch ended.

    Args:
        outcome: The launch.
        json: As one JSON object on standard output instead of tables.
    """
    for trial, reason in outcome.failures.items():
        typer.echo(f"expedition: trial {trial} failed: {reason}", err=True)
    run = results.read(outcome.folder.path)
    verdicts = claims.judge(run)
    points = tables.sweep_points(run) if (run.trials["point"] != "").any() else None
    if json:
        typer.echo(encoding.dumps(plain(_content(outcome, verdicts, points)), indent=2))
        return
    console = Console(highlight=False)
    if points is not None:
        console.print(_points_table(run, points))
    elif verdicts:
        console.print(_verdict_table(verdicts))
    done = sum(state == DONE for state in outcome.states.values())
    console.print(f"{done} of {len(outcome.states)} trials done", markup=False)
    if outcome.report is not None:
        console.print(f"report: {outcome.report}", markup=False, soft_wrap=True)


def _content(outcome: Outcome, verdicts: list[claims.Result], points: Any) -> dict[str, Any]:
    content: dict[str, Any] = {
        "run": outcome.folder.path,
        "report": outcome.report,
        "complete": outcome.complete,
        "trials": dict(outcome.states),
        "failures": dict(outcome.failures),
        "claims": [result.to_dict() for result in verdicts],
    }
    if points is not None:
        content["points"] = points.to_dict("records")
    return content


def _verdict_table(verdicts: list[claims.Result]) -> Table:
    table = Table("claim", "verdict", "why")
    for result in verdicts:
        style = _STYLES[result.verdict]
        table.add_row(result.claim.says, f"[{style}]{result.verdict}[/{style}]", result.reason)
    return table


def _points_table(run: Run, points: Any) -> Table:
    name, metric = run.experiment.headline
    table = Table(
        "variant", "point", "values", "trials", name,
        title=f"best points by {metric.axis_label}", title_justify="left",
    )  # fmt: skip
    for point in points.head(BEST_SHOWN).itertuples():
        values = ", ".join(f"{k}={tables.setting(v)}" for k, v in point.values.items())
        table.add_row(
            point.variant, point.point, values, str(point.trials), tables.number(point.score)
        )
    return table
