"""The report of a run: one self-contained page that a researcher can send to another."""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

import jinja2

from expedition.platform import claims, figures, results, spec, tables
from expedition.platform.claims import Result
from expedition.platform.figures import Drawing
from expedition.platform.overrides import flatten
from expedition.platform.results import MISSING, Run
from expedition.platform.statistics import Interval
from expedition.platform.store import DONE, FAILED, RUNNING, replacing

TEMPLATE = "report.html.j2"


def build(path: Path) -> Path:
    """Make the report of a run folder anew, with its figures and its table of results.

    Args:
        path: The run folder; the run may still be going on.

    Returns:
        ``<run>/report/index.html``.

    Raises:
        UserError: The folder is not a run.
    """
    run = results.read(path)
    results.write_parquet(run)
    drawings = figures.draw_all(run)
    folder = run.path / "report"
    for drawing in drawings:
        drawing.save(folder / "figures")
    page = render(run, claims.judge(run), drawings)
    with replacing(folder / "index.html") as temporary:
        temporary.write_text(page, encoding="utf-8")
    return folder / "index.html"


def render(run: Run, verdicts: Sequence[Result], drawings: Sequence[Drawing]) -> str:
    """Render the page.

    Args:
        run: The run.
        verdicts: Its claims, judged.
        drawings: Its figures.

    Returns:
        HTML without any reference to the network.
    """
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(Path(__file__).parent / "templates"),
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
        undefined=jinja2.StrictUndefined,
    )
    environment.filters |= {
        "number": tables.number,
        "duration": tables.duration,
        "setting": tables.setting,
        "interval": interval,
    }
    return environment.get_template(TEMPLATE).render(
        run=run,
        experiment=run.experiment,
        progress=_progress(run),
        counts=claims.count(verdicts),
        verdicts=verdicts,
        figures=[_figure(drawing) for drawing in drawings],
        scores=[_score_matrix(run, name) for name in run.experiment.metrics],
        points=tables.sweep_points(run).to_dict("records") if run.is_sweep else [],
        trials=run.trials.to_dict("records"),
        totals=_totals(run),
        settings=_settings(run),
        resolved=spec.to_yaml(run.experiment),
        provenance=_provenance(run.manifest),
        started=_date(run.manifest.get("start_time")),
    )


def interval(estimate: Interval | None) -> str:
    """Write an estimate, or a dash where there is none."""
    return tables.number(None) if estimate is None else str(estimate)


def _progress(run: Run) -> dict[str, int]:
    """Count the trials by state."""
    states = run.trials["state"].value_counts()
    return {
        "total": len(run.trials),
        "done": int(states.get(DONE, 0)),
        "failed": int(states.get(FAILED, 0)),
        "running": int(states.get(RUNNING, 0)),
        "waiting": len(run.trials) - sum(int(states.get(s, 0)) for s in (DONE, FAILED, RUNNING)),
        "missing": int(states.get(MISSING, 0)),
    }


def _totals(run: Run) -> dict[str, float]:
    """Sum environment steps and trial time, and average the speed over trials."""
    return {
        "env_steps": int(run.trials["env_steps"].sum()),
        "seconds": float(run.trials["seconds"].astype(float).sum()),
        "env_steps_per_s": float(run.trials["env_steps_per_s"].astype(float).mean()),
    }


def _figure(drawing: Drawing) -> dict[str, str]:
    encoded = base64.b64encode(drawing.svg.encode()).decode()
    return {
        "title": drawing.title,
        "caption": drawing.caption,
        "source": f"data:image/svg+xml;base64,{encoded}",
    }


def _score_matrix(run: Run, metric: str) -> dict[str, Any]:
    """Arrange a score table for reading: a row a variant, a column a task."""
    table = tables.score_table(run, metric)
    tasks = list(dict.fromkeys(table["task"]))
    rows = [
        {
            "label": run.experiment.label(variant),
            "reference": run.experiment.variants[variant].reference,
            "cells": [
                {"mean": row["mean"], "seeds": row["seeds"]} for row in part.to_dict("records")
            ],
            "iqm": part["iqm"].iloc[-1],
        }
        for variant, part in ((str(v), p) for v, p in table.groupby("variant", sort=False))
    ]
    return {
        "metric": run.experiment.metrics[metric],
        "tasks": tasks,
        "rows": rows,
        "measured": bool((table["seeds"] > 0).any()),
    }


def _settings(run: Run) -> dict[str, Any]:
    """Split the settings into those that differ between variants and those in common."""
    differing, by_variant = tables.differing_settings(run.experiment)
    return {
        "differing": differing,
        "by_variant": by_variant,
        "common": tables.common_settings(run.experiment),
        "env": dict(flatten(run.experiment.env_config)),
        "tasks": {name: dict(flatten(own)) for name, own in run.experiment.tasks.items()},
    }


def _provenance(manifest: Mapping[str, Any]) -> list[tuple[str, str]]:
    """List where the numbers come from, as pairs of a name and a value."""
    rows: list[tuple[str, str]] = []
    for key, value in manifest.items():
        if key == "launches" and len(value) < 2:
            continue
        name = key.replace("_", " ")
        if key == "git" and isinstance(value, Mapping):
            changes = " with uncommitted changes" if value.get("dirty") else ""
            rows.append(("revision", f"{value.get('revision') or 'not a checkout'}{changes}"))
        elif isinstance(value, Mapping):
            parts = (f"{k.replace('_', ' ')} {v}" for k, v in value.items() if v is not None)
            rows.append((name, " · ".join(parts)))
        elif key == "command" and not isinstance(value, str):
            rows.append((name, " ".join(map(str, value))))
        elif key == "launches":
            rows.append((name, f"{len(value)}, the last at {_date(value[-1].get('start_time'))}"))
        elif value is not None:
            rows.append((name, _date(value) if key.endswith("_time") else str(value)))
    return rows


def _date(text: Any) -> str:
    """Write an ISO date as ``2 January 2026, 03:04 UTC``; what is none stays as it is."""
    try:
        moment = datetime.fromisoformat(str(text))
    except ValueError:
        return str(text) if text else ""
    return f"{moment.day} {moment:%B %Y, %H:%M %Z}".strip()
