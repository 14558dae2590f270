"""From the curves of trials to one score a trial, and to matrices for the statistics."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Sequence
from statistics import fmean

import numpy as np
import pandas as pd

from expedition.platform.results import IDENTITY, Run
from expedition.platform.schema import Metric, Statistic
from expedition.platform.statistics import iqm
from expedition.platform.store import DONE, FAILED


def _last_half_mean(steps: np.ndarray, values: np.ndarray) -> float:
    return float(values[steps >= steps[-1] / 2].mean())


def _auc(steps: np.ndarray, values: np.ndarray) -> float:
    length = steps[-1] - steps[0]
    return float(np.trapezoid(values, steps) / length) if length > 0 else float(values.mean())


_STATISTICS: dict[Statistic, Callable[[np.ndarray, np.ndarray], float]] = {
    "last": lambda steps, values: float(values[-1]),
    "last_half_mean": _last_half_mean,
    "mean": lambda steps, values: float(values.mean()),
    "max": lambda steps, values: float(values.max()),
    "auc": _auc,
}


def summarise(steps: np.ndarray, values: np.ndarray, statistic: Statistic) -> float:
    """Reduce a trial's curve to its score.

    Args:
        steps: Shape [E], environment steps, increasing.
        values: Shape [E], the metric there, finite.
        statistic: ``last_half_mean`` averages the points from half of the trial's steps on;
            ``auc`` is the area under the curve divided by its length.

    Returns:
        The score, in the metric's unit; NaN for an empty curve.
    """
    if not len(values):
        return float("nan")
    return _STATISTICS[statistic](np.asarray(steps, float), np.asarray(values, float))


def curves(run: Run, metric: Metric, *, finished_only: bool = False) -> pd.DataFrame:
    """Return the curve of a metric's key of every trial that has one.

    Args:
        run: The run.
        metric: What is measured; in an experiment with stages, at its stage or the last one.
        finished_only: Leave out trials that are not done.

    Returns:
        Columns ``task``, ``variant``, ``point``, ``seed``, ``env_steps``, ``value``, sorted by
        environment steps within a trial; without the iterations that did not measure the key.
        Environment steps are counted from the beginning of the stage.
    """
    if metric.key not in run.rows:
        return pd.DataFrame(columns=[*IDENTITY, "env_steps", "value"])
    curve = run.rows[[*IDENTITY, "env_steps"]].assign(
        value=pd.to_numeric(run.rows[metric.key], errors="coerce")
    )
    stage = run.experiment.stage_of(metric)
    if stage is not None:
        curve = curve.assign(env_steps=run.rows["stage_env_steps"])[run.rows["stage"] == stage]
    if finished_only:
        done = run.trials.loc[run.trials["state"] == DONE, IDENTITY]
        curve = curve.merge(done.astype(curve[IDENTITY].dtypes), on=IDENTITY)
    return curve.dropna(subset=["value"]).sort_values([*IDENTITY, "env_steps"])


def table(run: Run, metric: Metric) -> pd.DataFrame:
    """Score every finished trial.

    Args:
        run: The run.
        metric: What is measured.

    Returns:
        Columns ``task``, ``variant``, ``point``, ``seed``, ``score``. A trial that is not done, or
        never measured the key, is absent.
    """
    groups = curves(run, metric, finished_only=True).groupby(IDENTITY, sort=False)
    records = [
        (*identity, summarise(curve["env_steps"].array, curve["value"].array, metric.statistic))
        for identity, curve in groups
    ]
    return pd.DataFrame(records, columns=[*IDENTITY, "score"])


def point_score(scores: Sequence[tuple[str, float]]) -> float:
    """Score a sweep point by its trials: interquartile mean over seeds, then mean over tasks.

    Tasks are kept apart, for their scores need not be comparable: over all of them together the
    interquartile mean would drop the easiest and the hardest.

    Args:
        scores: Task and objective of each trial; up to three seeds a task have the plain mean.

    Returns:
        The score. Infinite when more than a quarter of the seeds of a task failed.
    """
    by_task: defaultdict[str, list[float]] = defaultdict(list)
    for task, score in scores:
        by_task[task].append(score)
    return fmean(iqm(np.array(values)) for values in by_task.values())


def point_scores(run: Run, metric: Metric) -> pd.DataFrame:
    """Score every sweep point that has a trial that is done.

    Args:
        run: A sweep.
        metric: What is measured. A failed trial counts as infinitely bad.

    Returns:
        Columns ``variant``, ``point``, ``score`` (see :func:`point_score`).
    """
    scores = table(run, metric)
    scored = set(zip(scores["variant"], scores["point"], strict=True))
    failed = run.trials.loc[run.trials["state"] == FAILED, IDENTITY]
    worst = -np.inf if metric.higher_is_better else np.inf
    everything = pd.concat([scores, failed.assign(score=worst)]) if len(failed) else scores
    records = [
        (variant, point, point_score(list(zip(trials["task"], trials["score"], strict=True))))
        for (variant, point), trials in everything.groupby(["variant", "point"], sort=False)
        if (variant, point) in scored
    ]
    return pd.DataFrame(records, columns=["variant", "point", "score"])


def best_points(run: Run) -> dict[str, str]:
    """Return the sweep point of each variant with the best headline :func:`point_score`.

    Args:
        run: The run.

    Returns:
        Variant -> point; empty outside sweeps.
    """
    _, metric = run.experiment.headline
    if not run.is_sweep or (scores := point_scores(run, metric)).empty:
        return {}
    best = scores.sort_values("score", ascending=not metric.higher_is_better, kind="stable")
    return dict(best.groupby("variant")["point"].first())


def at_best_points(run: Run, frame: pd.DataFrame) -> pd.DataFrame:
    """Keep, of a table with identity columns, each variant's best sweep point.

    Args:
        run: The run.
        frame: Any table with the columns ``variant`` and ``point``.

    Returns:
        The table unchanged outside sweeps.
    """
    best = best_points(run)
    return frame[frame["point"] == frame["variant"].map(best)] if best else frame


def scores_RT(scores: pd.DataFrame, variant: str, tasks: Sequence[str]) -> np.ndarray:  # noqa: N802
    """Arrange one variant's scores for the statistics.

    Args:
        scores: As from :func:`table`, one sweep point a variant.
        variant: The variant.
        tasks: Tasks, in the order of the columns.

    Returns:
        Shape [R seeds that have a score on every one of the tasks, T tasks].
    """
    chosen = scores[(scores["variant"] == variant) & scores["task"].isin(tasks)]
    if chosen.empty:
        return np.empty((0, len(tasks)))
    matrix = chosen.pivot(index="seed", columns="task", values="score")
    return matrix.reindex(columns=list(tasks)).dropna().to_numpy(float)
