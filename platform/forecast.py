"""What a sweep will cost, judged by the records of earlier runs."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median

from expedition.platform.errors import UserError
from expedition.platform.plan import Trial, trials_of
from expedition.platform.resources import request_for
from expedition.platform.results import runs
from expedition.platform.schedulers import Sweep, planned_trials
from expedition.platform.spec import Experiment
from expedition.platform.store import DONE, RunFolder, TrialFolder

ENOUGH = 8  # the newest finished trials of a kind that are asked for their speed and size
Kind = tuple[str, str]


@dataclass(frozen=True)
class Measured:
    """What the finished trials of one method in one environment took, as medians.

    Attributes:
        trials: How many were asked.
        env_steps_per_s: Speed of a trial.
        disk_bytes: Size of a trial's folder.
    """

    trials: int
    env_steps_per_s: float
    disk_bytes: float


@dataclass(frozen=True)
class Forecast:
    """The cost of a sweep when every trial spends its budget: schedulers only lower it.

    Attributes:
        trials: Trials.
        env_steps: Environment steps of all of them.
        cpu_hours: CPUs that a trial holds times its time, summed; ``None`` when a method has
            never been measured.
        disk_bytes: Size of the trials' folders; ``None`` likewise.
        measured_trials: Finished trials that the two come from.
        unmeasured: What has no finished trial, ``<method> on <environment>``.
    """

    trials: int
    env_steps: int
    cpu_hours: float | None
    disk_bytes: int | None
    measured_trials: int
    unmeasured: tuple[str, ...]


def forecast(experiment: Experiment, sweep: Sweep, results: Path) -> Forecast:
    """Estimate what a sweep takes, without starting anything.

    Args:
        experiment: The resolved experiment.
        sweep: What was asked for.
        results: Results folder, whose finished trials say how fast and large trials are.

    Raises:
        UserError: The sweep cannot work.
    """
    sweep.check(experiment)
    if sweep.searcher == "optuna":  # points are not known yet, only how many there will be
        trials = trials_of(experiment) * sweep.samples
    else:
        trials = planned_trials(sweep, experiment)
    known = measured({_kind(trial) for trial in trials}, results)
    missing = sorted({_kind(trial) for trial in trials} - set(known))
    return Forecast(
        trials=len(trials),
        env_steps=sum(trial.budget for trial in trials),
        cpu_hours=None if missing else _cpu_hours(trials, known),
        disk_bytes=None if missing else round(sum(known[_kind(t)].disk_bytes for t in trials)),
        measured_trials=sum(found.trials for found in known.values()),
        unmeasured=tuple(f"{method} on {env}" for method, env in missing),
    )


def _kind(trial: Trial) -> Kind:
    return trial.algorithm, trial.env


def _cpu_hours(trials: Sequence[Trial], known: Mapping[Kind, Measured]) -> float:
    cpus: dict[tuple[str, str], float] = {}
    total = 0.0
    for trial in trials:
        cell = (trial.task, trial.variant)
        if cell not in cpus:  # a sweep's values do not change what its trials hold
            cpus[cell] = sum(bundle.get("CPU", 0.0) for bundle in request_for(trial).bundles)
        total += cpus[cell] * trial.budget / known[_kind(trial)].env_steps_per_s
    return total / 3600


def measured(kinds: set[Kind], results: Path) -> dict[Kind, Measured]:
    """Find how fast and large finished trials were.

    Args:
        kinds: Methods and environments that are asked for.
        results: Results folder.

    Returns:
        Method and environment -> medians over the newest finished trials; none where there are
        no such trials.
    """
    found: defaultdict[Kind, list[tuple[float, int]]] = defaultdict(list)
    for path in runs(results):
        for trial_id in RunFolder(path).trial_ids():
            files = RunFolder(path).trial(trial_id)
            kind = _recorded_kind(files)
            if kind not in kinds or len(found[kind]) == ENOUGH:
                continue
            if (taken := _taken(files)) is not None:
                found[kind].append(taken)
    return {
        kind: Measured(len(taken), *(float(median(values)) for values in zip(*taken, strict=True)))
        for kind, taken in found.items()
        if taken
    }


def _recorded_kind(files: TrialFolder) -> Kind | None:
    try:
        content = files.read_trial()
    except UserError:  # a damaged record says nothing, and stops nobody
        return None
    return content.get("algorithm", ""), content.get("env", "")


def _taken(files: TrialFolder) -> tuple[float, int] | None:
    """Read environment steps a second and bytes of a trial; ``None`` if it is not finished."""
    try:
        rows = files.rows() if files.status()["state"] == DONE else []
    except UserError:
        return None
    if not rows or not rows[-1].get("time/seconds"):
        return None
    size = sum(file.stat().st_size for file in files.path.rglob("*") if file.is_file())
    return rows[-1]["env_steps"] / rows[-1]["time/seconds"], size


def describe(found: Forecast) -> list[str]:
    """Say a forecast in lines."""
    lines = [f"{found.trials:,} trials, {found.env_steps:,} env steps at most"]
    if found.cpu_hours is None or found.disk_bytes is None:
        missing = ", ".join(found.unmeasured)
        return [*lines, f"CPU hours and disk unknown: no finished trial yet of {missing}"]
    source = f"by {found.measured_trials} finished trials in the results folder"
    return [
        *lines,
        f"{found.cpu_hours:,.2g} CPU hours at most, {source}",
        f"{found.disk_bytes / 2**20:,.1f} MiB of disk",
    ]
