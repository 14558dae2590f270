"""The one Tune trainable: a thin shell that lets Tune start, step, reuse and copy trials."""

from __future__ import annotations

import gc
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ray import tune
from ray.tune import PlacementGroupFactory

from expedition.platform import checkpoints
from expedition.platform.failures import failure, record_failure
from expedition.platform.groups import cell_of
from expedition.platform.objective import Objective
from expedition.platform.places import is_uri, located_run
from expedition.platform.plan import Trial
from expedition.platform.resources import request_for
from expedition.platform.store import RunFolder
from expedition.platform.trial_run import TrialRun
from expedition.platform.trial_staging import TRIAL, StagedTrial

OBJECTIVE = "objective"


class ExperimentTrial(tune.Trainable):
    """Runs trials of a launch, one after the other, in one process.

    The configuration holds ``run`` (the run folder, or its address in an object store) and
    ``trial`` (the id of a planned trial) or, where a searcher makes up the points, ``cells``,
    ``group`` (see `groups.cell_of`) and ``search`` (the values). PBT gives both ``trial`` and the
    values it has changed.

    A failure of the method, such as a NaN loss, is a *result* with ``state: failed``: the process
    stays usable and Tune does not retry what would fail again. Only the death of the process is a
    failure to Tune, which then starts the trial anew, from its last checkpoint.
    """

    @classmethod
    def default_resource_request(cls, config: dict[str, Any]) -> PlacementGroupFactory:
        """Ask for the resources of the trial that a configuration means."""
        return request_for(trial_from(config))

    def setup(self, config: dict[str, Any]) -> None:
        """Remember the first trial.

        It begins when Tune first asks for something: while a process starts, Tune may give its
        trial to one that has become free, and the two would take the folder from each other.
        """
        self._wait(config)

    def _wait(self, config: dict[str, Any]) -> None:
        self._waiting: dict[str, Any] | None = config
        self._run: TrialRun | None = None
        self._error: dict[str, Any] | None = None

    def reset_config(self, new_config: dict[str, Any]) -> bool:
        """End the trial of this process and remember another: no imports, no new process."""
        self._end()
        self._wait(new_config)
        gc.collect()  # replay memory of the old trial, before the new one asks for its own
        if not gc.get_freeze_count():
            gc.freeze()  # what is left was imported, and takes a collection a quarter of a second
        return True

    def _begin(self) -> None:
        """Start the trial that waits, if one does."""
        config, self._waiting = self._waiting, None
        if config is None:
            return
        fetch_plan(config)
        self._trial = trial_from(config)
        metric = config.get("objective")
        self._objective = Objective(**metric) if metric else None
        self._folder = RunFolder(located_run(config["run"])).trial(self._trial.id)
        try:
            self._run = TrialRun(self._trial, self._folder)
        except Exception as error:  # whatever a method's validation or an environment raises
            self._record(error)

    def _record(self, error: Exception) -> None:
        if self._run is not None:
            self._error = self._run.fail(error)
        else:
            self._error = failure(error, 0, self._folder)
            record_failure(self._folder, self._error)

    def step(self) -> dict[str, Any]:
        """Make one iteration of the trial.

        Returns:
            The curated row with ``trial`` (its id), ``state``, ``done`` and ``objective``.
        """
        self._begin()
        row: dict[str, Any] = {}
        if self._run is not None and self._error is None:
            try:
                row = self._run.rows[-1] if self._run.finished else self._run.advance()
            except Exception as error:  # one trial's failure must not end the others
                self._record(error)
        return {**row, **self._verdict()}

    def _verdict(self) -> dict[str, Any]:
        state = "running"
        if self._error is not None:
            state = "failed"
        elif self._run is not None and self._run.finished:
            state = "done"
        result = {"trial": self._trial.id, "state": state, "done": state != "running"}
        if self._objective is not None and self._run is not None:
            result[OBJECTIVE] = self._objective.of(self._run.rows, failed=state == "failed")
        if self._run is not None and self._run.notes:
            result["notes"], self._run.notes = self._run.notes, []
        return result | ({"error": self._error} if self._error else {})

    def save_checkpoint(self, checkpoint_dir: str) -> None:
        """Save the trial where a scheduler (PBT) can copy it from."""
        self._begin()
        if self._run is not None and self._run.live:
            self._run.export(Path(checkpoint_dir))

    def load_checkpoint(self, checkpoint: Any) -> None:
        """Continue from the checkpoint that a scheduler chose, with this trial's settings."""
        self._begin()
        if self._run is None or not self._run.live:
            return
        try:
            self._run.adopt(checkpoints.find(Path(str(checkpoint))))
        except Exception as error:  # a setting that shapes the networks or the replay was changed
            self._record(error)

    def cleanup(self) -> None:
        """Save what is not saved and let go of the trial's folder."""
        self._end()

    def _end(self) -> None:
        if self._run is None:
            return
        if self._error is None:
            self._run.interrupt()
        else:
            self._run.close()


def fetch_plan(config: Mapping[str, Any]) -> None:
    """Bring here what the trial of a configuration is, from an object store to this node."""
    if is_uri(config["run"]) and "trial" in config:
        staged = StagedTrial.of(RunFolder(located_run(config["run"])).trial(config["trial"]))
        if staged is not None:
            staged.fetch_one(TRIAL)


def trial_from(config: Mapping[str, Any]) -> Trial:
    """Find out which trial a Tune configuration means.

    Args:
        config: See `ExperimentTrial`.

    Returns:
        The trial.
    """
    search = config.get("search")
    if "trial" not in config:
        return Trial.from_dict(cell_of(config)).at(search or {})
    folder = RunFolder(located_run(config["run"])).trial(config["trial"])
    planned = Trial.from_dict(folder.read_trial())
    return planned if search is None else planned.at(search, planned.point)
