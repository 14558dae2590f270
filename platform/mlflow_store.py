"""What goes to MLflow, and how much of it has gone: the only module that imports MLflow."""

from __future__ import annotations

import logging
import os
import uuid
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from expedition.platform import checkpoints
from expedition.platform.overrides import flatten
from expedition.platform.plan import Trial
from expedition.platform.row_reader import RowReader
from expedition.platform.spec import Experiment, load_resolved
from expedition.platform.store import (
    DONE,
    FAILED,
    PENDING,
    RunFolder,
    TrialFolder,
    read_json,
    write_json,
)

# A dead server must be noticed in seconds; MLflow's own defaults take minutes.
for _name, _value in {
    "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "1",
    "MLFLOW_HTTP_REQUEST_TIMEOUT": "10",
    "GIT_PYTHON_REFRESH": "quiet",
}.items():
    os.environ.setdefault(_name, _value)

from mlflow import MlflowClient  # noqa: E402
from mlflow.entities import Metric, Param, Run, RunTag  # noqa: E402

METRICS_A_CALL = 1000  # limits of MLflow's log_batch
PARAMS_A_CALL = 100
RUNS_A_CALL = 50_000  # of its search_runs
PARAM_LENGTH = 6000
_ENDED = {DONE: "FINISHED", FAILED: "FAILED"}
_FILE = "mlflow.json"
_BOOKKEEPING = ("iteration",)  # rows hold it, but the x-axis is env steps


class Sender:
    """Sends one run folder; calling it again sends only what is new.

    Args:
        folder: The run.
        uri: Tracking store.
        artifact_limit_mib: Final checkpoints up to this size are sent as artifacts.
    """

    def __init__(self, folder: RunFolder, uri: str, artifact_limit_mib: float) -> None:
        for name in ("mlflow", "alembic"):
            logging.getLogger(name).setLevel(logging.ERROR)
        self._folder = folder
        self._uri = uri
        self._limit = artifact_limit_mib * 2**20
        self._client = MlflowClient(tracking_uri=uri)
        self._experiment = load_resolved(folder.spec)
        self._parent: str | None = None
        self._experiment_id = ""
        self._children: dict[str, Run] | None = None  # by their keys; None: ask the store
        self._readers: dict[Path, RowReader] = {}

    def send(self, *, final: bool = False) -> None:
        """Send what the folder holds and MLflow does not.

        Args:
            final: The launch has ended: send its report and close the parent run.

        Raises:
            Exception: Whatever MLflow raises; nothing is lost, and it may be called again.
        """
        if self._parent is None:
            self._experiment_id = self._find_experiment()
            self._parent = self._find_parent()
        try:
            for trial_id in self._folder.trial_ids():
                files = self._folder.trial(trial_id)
                if files.status()["state"] != PENDING:
                    self._send_trial(files)
        except Exception:
            self._children = None  # what failed may have been created all the same
            raise
        if final:
            self._send_end(self._parent)

    def _find_experiment(self) -> str:
        name = self._experiment.name
        found = self._client.get_experiment_by_name(name)
        if found is not None:
            return str(found.experiment_id)
        # Without a server MLflow would put artifacts into ./mlruns of the current folder.
        local = self._uri.startswith("sqlite:")
        place = (self._folder.path.absolute().parent / "mlflow-artifacts").as_uri()
        return str(self._client.create_experiment(name, artifact_location=place if local else None))

    def _find_parent(self) -> str:
        """Continue the parent run of this folder, or create it."""
        file = self._folder.path / _FILE
        cursor = read_json(file)
        if "run_id" in cursor and cursor.get("uri", self._uri) == self._uri:
            self._client.update_run(cursor["run_id"], status="RUNNING")
            return str(cursor["run_id"])
        # The key is on disk before the run exists: a crash in between leaves no second run.
        key = cursor.get("key") or uuid.uuid4().hex
        write_json(file, {"key": key})
        run = next(iter(self._tagged("expedition.key", key)), None) or self._create_parent(key)
        write_json(file, {"key": key, "run_id": run.info.run_id, "uri": self._uri})
        return str(run.info.run_id)

    def _tagged(self, tag: str, value: str) -> list[Run]:
        tagged = f"tags.`{tag}` = '{value}'"
        among = [self._experiment_id]
        return list(self._client.search_runs(among, tagged, max_results=RUNS_A_CALL))

    def _create_parent(self, key: str) -> Run:
        tags = {**self._common_tags(), "expedition.key": key}
        run = self._client.create_run(
            self._experiment_id, run_name=self._folder.path.name, tags=tags
        )
        self._log_params(run.info.run_id, parent_params(self._experiment))
        self._client.log_artifact(run.info.run_id, str(self._folder.spec))
        return run

    def _common_tags(self) -> dict[str, str]:
        manifest = read_json(self._folder.manifest)
        git = manifest.get("git") or {}
        dirty = "+changes" if git.get("dirty") else ""
        version = f"{git.get('revision') or 'unknown'}{dirty}"
        return {
            "paper": self._experiment.paper,
            "figure": self._experiment.figure,
            "experiment": self._experiment.name,
            "preset": self._experiment.preset,
            "code_version": version,
            "mlflow.source.git.commit": str(git.get("revision") or ""),
            "run": self._folder.path.name,
        }

    def _send_trial(self, files: TrialFolder) -> None:
        cursor = read_json(files.path / _FILE)
        state = files.status()["state"]
        reader = self._readers.setdefault(files.path, RowReader(files))
        before, rows = reader.fresh()
        there = before + len(rows)
        if cursor.get("uri") == self._uri and (
            cursor.get("state") == state and cursor["rows_sent"] >= there
        ):
            reader.take()
            return
        trial = Trial.from_dict(files.read_trial())
        cursor = self._child(trial, cursor)
        unsent = rows[max(0, cursor["rows_sent"] - before) :]
        self._log_rows(cursor["run_id"], unsent, cursor["start_ms"])
        cursor["rows_sent"] = max(cursor["rows_sent"], there)
        self._move_to(state, files, cursor)
        # After a crash before this the run is found by its key, and what it has is sent again.
        write_json(files.path / _FILE, cursor)
        reader.take()

    def _child(self, trial: Trial, cursor: Mapping[str, Any]) -> dict[str, Any]:
        """Continue the child run of a trial, or create it."""
        if "run_id" in cursor and cursor.get("uri") == self._uri:
            return dict(cursor)
        if self._children is None:
            runs = self._tagged("mlflow.parentRunId", str(self._parent))
            self._children = {run.data.tags.get("expedition.key", ""): run for run in runs}
        key = f"{self._parent}:{trial.id}"
        if key not in self._children:
            self._children[key] = self._create_child(trial, key)
        run = self._children[key]
        return {
            "run_id": run.info.run_id, "uri": self._uri, "rows_sent": 0,
            "start_ms": run.info.start_time, "state": None,
        }  # fmt: skip

    def _create_child(self, trial: Trial, key: str) -> Run:
        tags = {
            **self._common_tags(),
            "task": trial.task,
            "variant": trial.variant,
            "seed": str(trial.seed),
            "algorithm": trial.algorithm,
            "expedition.key": key,
            "mlflow.parentRunId": str(self._parent),
        }
        if trial.point:
            tags["point"] = trial.point
        run = self._client.create_run(self._experiment_id, run_name=trial.id, tags=tags)
        self._log_params(run.info.run_id, trial_params(trial))
        return run

    def _log_rows(self, run_id: str, rows: Sequence[Mapping[str, Any]], start_ms: int) -> None:
        for metrics in batches(rows, start_ms):
            self._client.log_batch(run_id, metrics=metrics)

    def _log_params(self, run_id: str, params: Mapping[str, Any]) -> None:
        entries = [Param(key, str(value)[:PARAM_LENGTH]) for key, value in params.items()]
        for start in range(0, len(entries), PARAMS_A_CALL):
            self._client.log_batch(run_id, params=entries[start : start + PARAMS_A_CALL])

    def _move_to(self, state: str, files: TrialFolder, cursor: dict[str, Any]) -> None:
        """Bring the state of a child run up to date, with its files once it has ended."""
        if cursor["state"] == state:
            return
        if state in _ENDED:
            self._send_files(files, cursor["run_id"])
            self._client.set_terminated(cursor["run_id"], status=_ENDED[state])
        else:
            self._client.update_run(cursor["run_id"], status="RUNNING")
        cursor["state"] = state

    def _send_files(self, files: TrialFolder, run_id: str) -> None:
        error = files.status().get("error")
        if error:
            tags = [RunTag("error", f"{error['type']}: {error['message']}"[:5000])]
            self._client.log_batch(run_id, tags=tags)
        for file in (files.path / "trial.json", files.coverage):
            if file.exists():
                self._client.log_artifact(run_id, str(file))
        newest = next((c for _, c in checkpoints.newest_first(files.checkpoints) if c), None)
        if newest is not None and size_of(newest.path) <= self._limit:
            self._client.log_artifacts(run_id, str(newest.path), "checkpoint")

    def _send_end(self, run_id: str) -> None:
        for file in (self._folder.spec, self._folder.manifest):
            self._client.log_artifact(run_id, str(file))
        report = self._folder.path / "report"
        if report.is_dir():
            self._client.log_artifacts(run_id, str(report), "report")
        states = {
            self._folder.trial(trial_id).status()["state"] for trial_id in self._folder.trial_ids()
        }
        status = "FINISHED" if states <= {DONE} else "FAILED" if FAILED in states else "KILLED"
        self._client.set_terminated(run_id, status=status)


def batches(rows: Sequence[Mapping[str, Any]], start_ms: int) -> Iterator[list[Metric]]:
    """Turn rows into calls of ``log_batch``, a row never split over two.

    The time of a row is its training time after the start of the run: sending a row twice, after a
    crash before the cursor was written, gives the same point, which MLflow keeps once.

    Args:
        rows: Curated rows.
        start_ms: When the MLflow run was created, in milliseconds since 1970.

    Yields:
        At most ``METRICS_A_CALL`` metrics.
    """
    batch: list[Metric] = []
    for row in rows:
        stamp = start_ms + round(1000 * (row.get("time/seconds") or 0.0))
        metrics = [
            Metric(key, float(value), stamp, int(row["env_steps"]))
            for key, value in row.items()
            if isinstance(value, int | float) and key not in _BOOKKEEPING
        ]
        if len(batch) + len(metrics) > METRICS_A_CALL:
            yield batch
            batch = []
        batch += metrics
    if batch:
        yield batch


def parent_params(experiment: Experiment) -> dict[str, Any]:
    """What a launch is, in a few entries."""
    return {
        "experiment": experiment.name,
        "preset": experiment.preset,
        "env": experiment.env,
        "budget": experiment.budget,
        "seeds": len(experiment.seeds),
        "tasks": ", ".join(experiment.tasks),
        "variants": ", ".join(experiment.variants),
        **({"stages": ", ".join(experiment.stages)} if experiment.stages else {}),
    }


def trial_params(trial: Trial) -> dict[str, Any]:
    """What a trial is and what it sets over the defaults of its algorithm and environment."""
    essentials = {
        "algorithm": trial.algorithm,
        "env": trial.env,
        "task": trial.task,
        "variant": trial.variant,
        "seed": trial.seed,
        "budget": trial.budget,
    }
    env = {f"env_config.{key}": value for key, value in flatten(trial.env_config)}
    for stage in trial.stages:
        env |= {f"stages.{stage['name']}.{key}": value for key, value in flatten(stage)}
    return {**env, **dict(flatten(trial.config)), **essentials}


def size_of(folder: Path) -> int:
    """Add up the bytes of the files below a folder."""
    return sum(file.stat().st_size for file in folder.rglob("*") if file.is_file())
