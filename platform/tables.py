"""The tables of a report as plain rows: scores, trials, settings, sweep points, provenance."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd

from expedition.platform import scores as scoring
from expedition.platform import statistics
from expedition.platform.overrides import flatten
from expedition.platform.results import Run
from expedition.platform.schema import Config
from expedition.platform.spec import Experiment
from expedition.platform.store import DONE

POOLED = "all tasks"


def score_table(run: Run, metric: str) -> pd.DataFrame:
    """Estimate every variant's score on each task and on all of them together.

    Args:
        run: The run.
        metric: Name of one of the experiment's metrics.

    Returns:
        One row a variant and task (``all tasks`` last, when there are several), in the
        experiment's order: ``variant``, ``task``, ``seeds``, ``mean`` and ``iqm``
        (:class:`~expedition.platform.statistics.Interval`, or ``None`` without a score; the
        interquartile mean only over all tasks, for of the four seeds of one it would keep two).
    """
    experiment = run.experiment
    table = scoring.table(run, experiment.metrics[metric])
    data = scoring.at_best_points(run, table)
    tasks = tuple(experiment.tasks)
    columns: list[tuple[str, tuple[str, ...]]] = [(task, (task,)) for task in tasks]
    if len(tasks) > 1:
        columns.append((POOLED, tasks))
    rows = []
    for variant in experiment.variants:
        for name, together in columns:
            scores = scoring.scores_RT(data, variant, together)
            some, last = len(scores) > 0, name == columns[-1][0]
            rows.append(
                {
                    "variant": variant,
                    "task": name,
                    "seeds": len(scores),
                    "mean": statistics.interval(scores) if some else None,
                    "iqm": statistics.interval(scores, statistics.iqm) if some and last else None,
                }
            )
    return pd.DataFrame(rows)


def differing_settings(experiment: Experiment) -> tuple[list[str], dict[str, dict[str, Any]]]:
    """Find the settings in which the compared variants differ.

    References are left out where there is anything else: a random policy lacks nearly every
    setting, and the list would be all of them.

    Args:
        experiment: The experiment.

    Returns:
        The dotted settings, sorted, and for each compared variant the value of each it has.
    """
    ranked = [name for name, variant in experiment.variants.items() if not variant.reference]
    compared = ranked or list(experiment.variants)
    flat = {name: dict(flatten(experiment.config_of(name))) for name in compared}
    keys = sorted({key for settings in flat.values() for key in settings})
    first = flat[compared[0]]

    def differs(key: str) -> bool:
        return any(key not in s or key not in first or s[key] != first[key] for s in flat.values())

    return [key for key in keys if differs(key)], flat


def common_settings(experiment: Experiment) -> Config:
    """Return the dotted settings that all compared variants share, sorted."""
    differing, flat = differing_settings(experiment)
    first = next(iter(flat.values()))
    return {key: first[key] for key in sorted(first) if key not in differing}


def sweep_points(run: Run) -> pd.DataFrame:
    """Rank the points of a sweep by the headline metric.

    Args:
        run: A sweep.

    Returns:
        One row a variant and point, the best first: ``variant``, ``point``, ``values`` (mapping),
        ``trials``, ``finished``, ``score`` (see :func:`~expedition.platform.scores.point_score`;
        NaN without one).
    """
    _, metric = run.experiment.headline
    scores = scoring.point_scores(run, metric).set_index(["variant", "point"])["score"]
    rows = []
    for (variant, point), trials in run.trials.groupby(["variant", "point"], sort=False):
        rows.append(
            {
                "variant": variant,
                "point": point,
                "values": trials["search"].iloc[0],
                "trials": len(trials),
                "finished": int((trials["state"] == DONE).sum()),
                "score": float(scores.get((variant, point), np.nan)),
            }
        )
    table = pd.DataFrame(rows)
    return table.sort_values("score", ascending=not metric.higher_is_better, ignore_index=True)


def number(value: float | None, digits: int = 3) -> str:
    """Write a number with a few significant digits, a missing one as a dash."""
    if value is None or not np.isfinite(value):
        return "–"  # noqa: RUF001 - a dash in the report's table is typography
    text = f"{value:.{digits}g}"
    return f"{value:,.0f}" if "e+" in text or abs(value) >= 1000 else text


def duration(seconds: float | None) -> str:
    """Write a duration as ``1 h 02 min``, ``3 min 20 s`` or ``12 s``."""
    if seconds is None or not np.isfinite(seconds):
        return "–"  # noqa: RUF001
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    if hours:
        return f"{hours} h {minutes:02d} min"
    return f"{minutes} min {rest:02d} s" if minutes else f"{rest} s"


def setting(value: Any) -> str:
    """Write a setting's value as in YAML."""
    if isinstance(value, bool) or value is None:
        return {True: "true", False: "false", None: "null"}[value]
    if isinstance(value, float):
        return f"{value:g}"
    if isinstance(value, Sequence) and not isinstance(value, str):
        return f"[{', '.join(setting(item) for item in value)}]"
    return str(value)
