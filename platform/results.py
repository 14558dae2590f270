"""A run folder as tidy tables: while it runs, after a crash, and when it is finished."""

from __future__ import annotations

import json
import math
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from expedition.platform import staging
from expedition.platform.errors import UserError, nearest
from expedition.platform.places import address, is_uri, located_run
from expedition.platform.spec import Experiment, load_resolved
from expedition.platform.store import DONE, PENDING, RunFolder, replacing, results_folder

IDENTITY = ["task", "variant", "point", "seed"]
MISSING = "missing"  # the experiment asks for this trial, the folder does not have it
TRIAL_COLUMNS = [
    *IDENTITY, "state", "env_steps", "seconds", "env_steps_per_s", "error", "search", "folder",
]  # fmt: skip


@dataclass(frozen=True)
class Run:
    """A run folder as it stood when it was read.

    Attributes:
        path: The folder.
        experiment: The resolved experiment of ``spec.yaml``.
        manifest: Command, versions, machine and times; empty when it cannot be read.
        trials: One row a trial that the experiment asks for or the folder has: ``task``,
            ``variant``, ``point`` (empty outside sweeps), ``seed``, ``state``, ``env_steps``,
            ``seconds``, ``env_steps_per_s``, ``error`` (message or empty), ``search`` (the sweep's
            values), ``folder`` (relative to ``path``, empty when missing).
        rows: One row an iteration and trial: the identity columns and every curated metric.
    """

    path: Path
    experiment: Experiment
    manifest: Mapping[str, Any]
    trials: pd.DataFrame
    rows: pd.DataFrame

    @property
    def name(self) -> str:
        """Name of the run: its folder's."""
        return self.path.name

    @property
    def finished(self) -> bool:
        """Whether every trial of the experiment is done."""
        return bool((self.trials["state"] == DONE).all())

    @property
    def is_sweep(self) -> bool:
        """Whether the trials are points of a search."""
        return bool((self.trials["point"] != "").any())


def read(path: Path) -> Run:
    """Read a run folder; nothing in it is changed.

    Args:
        path: Folder with ``spec.yaml``. A last line of ``progress.jsonl`` that is being written,
            and status files that cannot be read, are passed over.

    Returns:
        Its tables.

    Raises:
        UserError: There is no such folder, or its ``spec.yaml`` is missing or broken.
    """
    path = Path(path)
    if not (path / "spec.yaml").is_file():
        raise UserError(f"{path}: not a run folder (it has no spec.yaml)")
    experiment = load_resolved(path / "spec.yaml")
    records, frames = [], []
    for trial_id in RunFolder(path).trial_ids():
        record, frame = _read_trial(path, trial_id)
        records.append(record)
        frames.append(frame)
    trials = pd.DataFrame(records, columns=TRIAL_COLUMNS)
    rows = pd.concat(frames, ignore_index=True) if frames else pd.DataFrame(columns=IDENTITY)
    trials = _ordered(_with_missing(trials, experiment), experiment)
    return Run(path, experiment, _json(path / "manifest.json"), trials, rows)


def write_parquet(run: Run) -> Path:
    """Write the tidy rows of a run to ``results.parquet`` in its folder.

    Args:
        run: The run.

    Returns:
        The file.
    """
    file = run.path / "results.parquet"
    with replacing(file) as temporary:
        run.rows.to_parquet(temporary, index=False)
    return file


def find(target: str, results: str | Path | None = None) -> Path:
    """Find a run folder by its path or its name.

    Args:
        target: A folder, or the name of a run in the results folder.
        results: Results folder; ``EXPEDITION_RESULTS`` or ``./results`` when not given.

    Raises:
        UserError: There is no such run; names the nearest.
    """
    named = [located_run(target)] if is_uri(target) else [Path(target)]
    for folder in (*named, results_folder(results) / target):
        staging.refresh(RunFolder(folder))
        if (folder / "spec.yaml").is_file():
            return folder
    root = address(results_folder(results))
    names = [folder.name for folder in runs(results)]
    hint = nearest(target, names) if names else "; there are no runs yet"
    raise UserError(f"no run '{target}' in {root}{hint}")


def runs(results: str | Path | None = None) -> list[Path]:
    """Return the run folders of a results folder, the newest first."""
    root = results_folder(results)
    staging.refresh_index(root)
    found = [file.parent for file in root.glob("*/spec.yaml")] if root.is_dir() else []
    return sorted(found, key=lambda folder: (folder / "spec.yaml").stat().st_mtime, reverse=True)


def newest_finished(experiment: str, results: str | Path | None = None) -> Path:
    """Find the newest run of an experiment of which every trial is done.

    Args:
        experiment: Its name, e.g. ``smm/fig2c``.
        results: Results folder; ``EXPEDITION_RESULTS`` or ``./results`` when not given.

    Raises:
        UserError: There is none; says how many unfinished ones there are.
    """
    unfinished = []
    for folder in runs(results):
        staging.refresh(RunFolder(folder))
        try:
            run = read(folder)
        except UserError:  # a foreign or half-deleted folder among the results
            continue
        if run.experiment.name == experiment and run.finished:
            return folder
        if run.experiment.name == experiment:
            unfinished.append(folder.name)
    hint = f"; unfinished: {', '.join(unfinished)}" if unfinished else ""
    raise UserError(
        f"no finished run of {experiment} in {address(results_folder(results))}{hint}"
        f" (expedition run {experiment})"
    )


def arrays(run: Run, name: str, folder: str) -> dict[str, np.ndarray]:
    """Read a trial's coverage array and those that belong to it.

    Args:
        run: The run.
        name: Name of the array, e.g. ``train/visits``.
        folder: The trial's folder, relative to the run's.

    Returns:
        Arrays under the same prefix (``visits``, ``x_edges``, ...); empty when the trial has none
        or its file is damaged.
    """
    prefix, _, own = name.rpartition("/")
    neighbours = [other for other in array_names(run, folder) if other.startswith(f"{prefix}/")]
    wanted = {
        n.removeprefix(f"{prefix}/"): n for n in neighbours if n.count("/") == name.count("/")
    }
    if own not in wanted:
        return {}
    try:
        with np.load(run.path / folder / "coverage.npz", allow_pickle=False) as content:
            return {short: content[full.replace("/", "__")] for short, full in wanted.items()}
    except (OSError, ValueError, zipfile.BadZipFile):
        return {}


def array_names(run: Run, folder: str) -> list[str]:
    """List the coverage arrays of a trial, e.g. ``train/visits``; none if its file is damaged.

    Args:
        run: The run.
        folder: The trial's folder, relative to the run's.
    """
    try:
        with np.load(run.path / folder / "coverage.npz", allow_pickle=False) as content:
            return [key.replace("__", "/") for key in content]
    except (OSError, ValueError, zipfile.BadZipFile):
        return []


def _read_trial(path: Path, trial_id: str) -> tuple[dict[str, Any], pd.DataFrame]:
    """Read one trial's record for ``trials`` and its rows."""
    files = RunFolder(path).trial(trial_id)
    trial = _json(files.path / "trial.json")
    status = {"state": PENDING, **_json(files.path / "status.json")}
    identity = {"task": trial.get("task"), "variant": trial.get("variant")} | {
        "point": trial.get("point") or "",
        "seed": trial.get("seed"),
    }
    frame = pd.DataFrame(files.rows())
    for position, (column, value) in enumerate(identity.items()):
        frame.insert(position, column, value)
    last = _last(frame, "env_steps")
    steps = int(status.get("env_steps") or 0) if math.isnan(last) else int(last)
    seconds = _last(frame, "time/seconds")
    error = status.get("error") or {}
    record = identity | {
        "state": status["state"],
        "env_steps": steps,
        "seconds": seconds,
        "env_steps_per_s": steps / seconds if seconds else float("nan"),
        "error": error.get("message", "") if isinstance(error, Mapping) else str(error),
        "search": trial.get("search") or {},
        "folder": f"trials/{trial_id}",
    }
    return record, frame


def _last(frame: pd.DataFrame, column: str) -> float:
    """Return the last finite value of a column, or NaN."""
    if column not in frame:
        return float("nan")
    values = pd.to_numeric(frame[column], errors="coerce").dropna()
    return float(values.iloc[-1]) if len(values) else float("nan")


def _json(file: Path) -> dict[str, Any]:
    """Read a JSON object; what is missing or damaged is empty, for a report must still appear."""
    try:
        content = json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return content if isinstance(content, dict) else {}


def _with_missing(trials: pd.DataFrame, experiment: Experiment) -> pd.DataFrame:
    """Add a row for every trial the experiment asks for and the folder does not have."""
    if (trials["point"] != "").any():  # a sweep: the searcher, not the experiment, says which
        return trials
    have = set(zip(trials["task"], trials["variant"], trials["seed"], strict=True))
    missing = [
        {"task": task, "variant": variant, "point": "", "seed": seed, "state": MISSING}
        | {"env_steps": 0, "error": "", "search": {}, "folder": ""}
        for task in experiment.tasks
        for variant in experiment.variants
        for seed in experiment.seeds
        if (task, variant, seed) not in have
    ]
    if not missing:
        return trials
    added = pd.DataFrame(missing, columns=TRIAL_COLUMNS)
    return pd.concat([trials, added], ignore_index=True) if len(trials) else added


def _ordered(trials: pd.DataFrame, experiment: Experiment) -> pd.DataFrame:
    """Sort trials in the experiment's order of tasks and variants, then by point and seed."""
    rank = {name: n for n, name in enumerate((*experiment.tasks, *experiment.variants))}
    keys = trials[["task", "variant"]].map(lambda name: rank.get(name, len(rank)))
    order = keys.assign(point=trials["point"], seed=trials["seed"])
    return trials.loc[order.sort_values([*order.columns]).index].reset_index(drop=True)
