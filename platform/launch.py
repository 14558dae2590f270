"""One launch: all trials of an experiment as one Tune run, recorded in one folder."""

from __future__ import annotations

import shlex
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich.console import Console

from expedition.platform import manifest, staging
from expedition.platform.errors import UserError
from expedition.platform.ownership import Ownership
from expedition.platform.places import address, split
from expedition.platform.plan import Trial, trials_of
from expedition.platform.runfolder import is_new, open_run
from expedition.platform.session import require_listener
from expedition.platform.shared_runs import take_finished
from expedition.platform.spec import Experiment
from expedition.platform.store import DONE, FAILED, PENDING, RunFolder, explain, results_folder
from expedition.platform.tracking import Mirror

if TYPE_CHECKING:
    from expedition.platform.schedulers import Sweep


@dataclass(frozen=True)
class Options:
    """How to launch, as opposed to what.

    Attributes:
        results: Results folder.
        name: Name of the run; made from the experiment and the time when not given.
        resume: Continue a run that is there.
        address: Ray cluster; ``None`` starts Ray on this machine.
        track: Mirror the run to MLflow.
        artifact_limit_mib: Final checkpoints up to this size become MLflow artifacts; 0 sends
            none.
        debug: Show what Ray and its workers log.
        console: Where progress goes.
        command: The command line, for the manifest.
    """

    results: Path = field(default_factory=results_folder)
    name: str | None = None
    resume: bool = False
    address: str | None = None
    track: bool = True
    artifact_limit_mib: float = 50.0
    debug: bool = False
    console: Console = field(default_factory=Console)
    command: Sequence[str] = field(default_factory=lambda: tuple(sys.argv))


@dataclass(frozen=True)
class Outcome:
    """How a launch ended.

    Attributes:
        folder: The run.
        states: Trial id -> its state.
        failures: Trial id -> one line saying why it failed.
        interrupted: Whether it was stopped by Ctrl-C or SIGTERM.
        report: The report, where one was asked for and the launch was not interrupted.
    """

    folder: RunFolder
    states: Mapping[str, str]
    failures: Mapping[str, str]
    interrupted: bool
    report: Path | None = None

    @property
    def complete(self) -> bool:
        """Whether every trial is done."""
        return bool(self.states) and all(state == DONE for state in self.states.values())


def launch(
    experiment: Experiment, options: Options, sweep: Sweep | None = None, *, report: bool = False
) -> Outcome:
    """Run the trials of an experiment that are not done yet, and wait for them.

    Args:
        experiment: The resolved experiment.
        options: How to launch.
        sweep: Search settings in the experiment's space instead of running it as it is.
        report: Build the report when the trials have ended, before MLflow is sent the rest.

    Returns:
        How it ended. Failed trials do not raise.

    Raises:
        UserError: The folder, the cluster or the sweep is not usable.
    """
    if sweep is not None:
        sweep.check(experiment)
    if options.address is not None:
        require_listener(options.address)
        _require_no_client(options)
    kind = "" if sweep is None else "sweep"
    folder = open_run(
        options.results, experiment, name=options.name, resume=options.resume, kind=kind
    )
    was_new = is_new(folder)
    ownership = Ownership.take(folder.path)
    try:
        return _launch_into(folder, experiment, options, sweep, report=report, was_new=was_new)
    except OSError as error:
        raise explain(error, folder.path) from error
    finally:
        ownership.release()


def _launch_into(
    folder: RunFolder,
    experiment: Experiment,
    options: Options,
    sweep: Sweep | None,
    *,
    report: bool,
    was_new: bool,
) -> Outcome:
    folder.stop.unlink(missing_ok=True)
    manifest.begin(folder, options.command, experiment.preset)
    staging.begin(folder)
    status = manifest.INCOMPLETE
    limit = 0.0 if split(folder.path) else options.artifact_limit_mib  # they are in the store
    mirror = Mirror(folder, limit, options.console) if options.track else None
    try:
        interrupted = _train(folder, experiment, options, sweep, mirror)
        outcome = outcome_of(folder, interrupted=interrupted)
        status = _status(outcome)
        manifest.end(folder, status)
        if report and not interrupted:
            from expedition.platform.report import build

            outcome = replace(outcome, report=build(folder.path))
        return outcome
    except BaseException as error:
        if was_new and isinstance(error, UserError) and not _has_begun(folder):
            staging.discard(folder)  # or it would be in the way of the corrected command
            mirror = None
        else:
            manifest.end(folder, status)
        raise
    finally:
        folder.remove_scratch()
        folder.stop.unlink(missing_ok=True)
        if mirror is not None:
            mirror.close()
        if note := staging.end(folder):
            options.console.print(note, highlight=False, markup=False, soft_wrap=True)


def _has_begun(folder: RunFolder) -> bool:
    """Whether a trial has been trained here; one taken over from another run has not."""
    statuses = [folder.trial(trial_id).status() for trial_id in folder.trial_ids()]
    return any(status["state"] != PENDING and "taken_from" not in status for status in statuses)


def _require_no_client(options: Options) -> None:
    if (options.address or "").startswith("ray://") and split(options.results) is not None:
        raise UserError(
            f"--address {options.address}: results of a Ray client go to a folder that it and the"
            " cluster see; for an object store use expedition submit, or --address auto on a node"
        )


def _status(outcome: Outcome) -> str:
    if outcome.interrupted:
        return manifest.INTERRUPTED
    return manifest.FINISHED if outcome.complete else manifest.INCOMPLETE


def _train(
    folder: RunFolder,
    experiment: Experiment,
    options: Options,
    sweep: Sweep | None,
    mirror: Mirror | None,
) -> bool:
    """Run what is not done; return whether it was interrupted."""
    trials = plan_trials(folder, experiment, sweep)
    options.console.print(
        f"{experiment.name} ({experiment.preset}) -> {address(folder.path)}",
        highlight=False, markup=False, soft_wrap=True,
    )  # fmt: skip
    taken = take_finished(folder, experiment, [] if sweep else trials, options.results)
    if taken:
        manifest.note(folder, "trials_taken_from", taken)
        for run, count in taken.items():
            options.console.print(f"{count} finished trials taken from {run}", highlight=False)
    staging.send_plans(folder)
    open_trials = [t for t in trials if folder.trial(t.id).status()["state"] != DONE]
    adaptive = sweep is not None and sweep.searcher == "optuna"
    if not open_trials and not adaptive:
        return False
    # Imported here: a finished run is reported without waiting for Ray.
    from expedition.platform.client_mode import SCHEME, run_through_client
    from expedition.platform.tuning import run_trials

    through_client = (options.address or "").startswith(SCHEME)
    runner = run_through_client if through_client else run_trials
    return runner(folder, experiment, options, sweep, trials, mirror)


def plan_trials(folder: RunFolder, experiment: Experiment, sweep: Sweep | None) -> list[Trial]:
    """Write down every trial that is known before the launch.

    Args:
        folder: The run.
        experiment: The resolved experiment.
        sweep: The sweep, if it is one.

    Returns:
        The trials, in the order they start; none for a searcher that makes up its points.
    """
    if sweep is None:
        trials = trials_of(experiment)
    elif sweep.searcher == "optuna":
        return []
    else:
        from expedition.platform.schedulers import planned_trials

        trials = planned_trials(sweep, experiment)
    for trial in trials:
        files = folder.trial(trial.id)
        if not files.read_trial():
            files.write_trial(trial.to_dict())
    return trials


def outcome_of(folder: RunFolder, *, interrupted: bool = False) -> Outcome:
    """Read from the folder how a launch ended.

    Args:
        folder: The run.
        interrupted: Whether it was stopped.

    Returns:
        States and failures of its trials.
    """
    statuses = {trial_id: folder.trial(trial_id).status() for trial_id in folder.trial_ids()}
    failures = {
        trial_id: describe_failure(status.get("error") or {})
        for trial_id, status in statuses.items()
        if status["state"] == FAILED
    }
    states = {trial_id: status["state"] for trial_id, status in statuses.items()}
    return Outcome(folder, states, failures, interrupted)


def describe_failure(error: Mapping[str, Any]) -> str:
    """Say in one line why a trial failed and what is left of it.

    Args:
        error: ``{type, message, step, last_good_checkpoint}`` of ``status.json``.
    """
    good = error.get("last_good_checkpoint")
    tail = f"last good checkpoint {good}" if good else "no checkpoint yet"
    step = int(error.get("step") or 0)
    return f"{error.get('type')} at env step {step:,}: {error.get('message')}; {tail}"


def resume_command(command: Sequence[str], folder: RunFolder) -> str:
    """Give the command that continues a run.

    Args:
        command: The command that started it.
        folder: The run.
    """
    words = [Path(command[0]).name, *command[1:]] if command else ["expedition"]
    if "--name" not in words:
        words += ["--name", folder.path.name]
    if "--resume" not in words:
        words += ["--resume"]
    return shlex.join(words)


def require_finished(outcome: Outcome) -> None:
    """Raise when trials are missing, for callers that need all of them.

    Raises:
        UserError: Names how many.
    """
    missing = sum(state != DONE for state in outcome.states.values())
    if missing or not outcome.states:
        raise UserError(
            f"{outcome.folder.path}: {missing} of {len(outcome.states)} trials not done"
        )
