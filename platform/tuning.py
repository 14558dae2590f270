"""The Tune run of a launch: its configuration, its callbacks and its stop."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from ray import tune
from ray.tune.search import BasicVariantGenerator

from expedition.platform.interrupt import Interruption, interruptible
from expedition.platform.plan import Trial, trials_of
from expedition.platform.progress import Progress
from expedition.platform.session import ray_session
from expedition.platform.spec import Experiment
from expedition.platform.store import DONE, FAILED, RUNNING, RunFolder
from expedition.platform.trainable import ExperimentTrial, trial_from
from expedition.platform.trial_run import failure, record_failure

if TYPE_CHECKING:
    from ray.tune.experiment import Trial as TuneTrial

    from expedition.platform.launch import Options
    from expedition.platform.schedulers import Sweep
    from expedition.platform.tracking import Mirror

RESTARTS = 3  # times a trial whose process died is started again, from its last checkpoint


def run_trials(
    folder: RunFolder,
    experiment: Experiment,
    options: Options,
    sweep: Sweep | None,
    trials: Sequence[Trial],
    mirror: Mirror | None,
) -> bool:
    """Run trials as one Tune run and wait for them.

    Args:
        folder: The run.
        experiment: The resolved experiment.
        options: How to launch.
        sweep: The sweep, if it is one.
        trials: Trials planned beforehand, done ones among them.
        mirror: Told to start once the first trial is under way.

    Returns:
        Whether it was interrupted.
    """

    def announce() -> None:
        options.console.print("stopping after this iteration; press Ctrl-C again to leave at once")

    with ray_session(options.address, debug=options.debug), interruptible(announce) as stopper:
        progress = Progress(
            f"{experiment.name} ({experiment.preset})",
            sweep.metric if sweep else experiment.headline[1],
            {variant: experiment.label(variant) for variant in experiment.variants},
            console=options.console,
            slots=slots(experiment.resources.cpus, experiment.resources.gpus),
        )
        for trial in trials:
            files = folder.trial(trial.id)
            progress.add(trial, files.status()["state"], files.rows())
        arguments = _arguments(folder, experiment, sweep, trials)
        progress.expect(arguments.pop("expected"))
        with progress:
            _tune(folder, arguments, Reporter(folder, progress, stopper, mirror), stopper, trials)
        return stopper.requested


def _tune(
    folder: RunFolder,
    arguments: Mapping[str, Any],
    reporter: Reporter,
    stopper: Interruption,
    trials: Sequence[Trial],
) -> None:
    tune.run(
        ExperimentTrial,
        name="tune",
        storage_path=str(folder.scratch),
        reuse_actors=True,
        callbacks=[reporter],
        stop=stopper,
        verbose=0,
        max_failures=RESTARTS,
        raise_on_failed_trial=False,
        trial_name_creator=lambda trial: trial.trial_id,
        trial_dirname_creator=lambda trial: trial.trial_id,
        _remote=False,  # with ray:// as well: the display and the signals are here
        **arguments,
    )


def slots(cpus: float, gpus: float) -> int:
    """Count the trials that the cluster can run at the same time, at least 1."""
    import ray

    total = ray.cluster_resources()
    fits = [total.get("CPU", 1.0) / cpus]
    if gpus:
        fits.append(total.get("GPU", 0.0) / gpus)
    return max(1, int(min(fits)))


def _arguments(
    folder: RunFolder, experiment: Experiment, sweep: Sweep | None, trials: Sequence[Trial]
) -> dict[str, Any]:
    """Give the arguments of ``tune.run`` that say what runs, and how many trials to expect."""
    config: dict[str, Any] = {"run": str(folder.path)}
    if sweep is not None:
        config["objective"] = sweep.objective.to_dict()
    todo = [trial for trial in trials if folder.trial(trial.id).status()["state"] != DONE]
    if sweep is None:
        config["trial"] = tune.grid_search([trial.id for trial in todo])
        return {"config": config, "expected": len(trials)}
    return _sweep_arguments(folder, experiment, sweep, todo, config)


def _sweep_arguments(
    folder: RunFolder,
    experiment: Experiment,
    sweep: Sweep,
    todo: Sequence[Trial],
    config: dict[str, Any],
) -> dict[str, Any]:
    from expedition.platform.schedulers import scheduler_of

    scheduler = scheduler_of(sweep, experiment)
    if sweep.searcher == "optuna":
        return {**_adaptive(folder, experiment, sweep, config), "scheduler": scheduler}
    if sweep.scheduler == "pbt":
        # Each member starts from the values it last had, which PBT may have changed.
        points = [{"trial": trial.id, "search": _last_values(folder, trial)} for trial in todo]
        generator = BasicVariantGenerator(points_to_evaluate=points)
        placeholder = {"trial": "", "search": dict(todo[0].search) if todo else {}}
        config = {**config, **placeholder}
        return {
            "config": config, "search_alg": generator, "num_samples": len(points),
            "scheduler": scheduler, "expected": len(todo),
        }  # fmt: skip
    config["trial"] = tune.grid_search([trial.id for trial in todo])
    return {"config": config, "scheduler": scheduler, "expected": len(todo)}


def _last_values(folder: RunFolder, trial: Trial) -> dict[str, Any]:
    return dict(folder.trial(trial.id).read_trial().get("search") or trial.search)


def _adaptive(
    folder: RunFolder, experiment: Experiment, sweep: Sweep, config: dict[str, Any]
) -> dict[str, Any]:
    """Arguments for a searcher that makes up its points."""
    from expedition.platform.optuna_search import cells, known_points, optuna_searcher

    grouped = cells(trials_of(experiment))
    repeats = len(next(iter(grouped.values())))
    known = known_points(folder, sweep.objective, repeats)
    done = sum(len(found.scored) for found in known.values())
    count = max(0, sweep.samples * len(grouped) - done) * repeats
    return {
        "config": {**config, "cells": grouped},
        "search_alg": optuna_searcher(sweep, experiment, known, repeats),
        "num_samples": count,
        "expected": count,
    }


class Reporter(tune.Callback):
    """Passes on what Tune tells: to the display, the mirror and, for dead processes, the folder.

    Args:
        folder: The run.
        progress: The display.
        stopper: Knows whether the launch was interrupted.
        mirror: The MLflow mirror, if there is one.
    """

    def __init__(
        self,
        folder: RunFolder,
        progress: Progress,
        stopper: Interruption,
        mirror: Mirror | None,
    ) -> None:
        self._folder = folder
        self._progress = progress
        self._stopper = stopper
        self._mirror = mirror

    def __getstate__(self) -> dict[str, Any]:
        """Give nothing: Tune pickles its callbacks into a state file that nobody reads."""
        return {}

    def on_trial_start(
        self, iteration: int, trials: list[TuneTrial], trial: TuneTrial, **info: Any
    ) -> None:
        """Show the trial as running."""
        self._progress.start(trial_from(trial.config))

    def on_trial_result(
        self,
        iteration: int,
        trials: list[TuneTrial],
        trial: TuneTrial,
        result: dict[str, Any],
        **info: Any,
    ) -> None:
        """Show a result."""
        if self._mirror is not None:
            self._mirror.start()
        ours = trial_from(trial.config)
        self._progress.update(ours, result)
        for note in result.get("notes", ()):
            self._progress.say(f"{ours.id}: {note}")
        if result["state"] == FAILED:
            error = result["error"]
            self._progress.say(f"{ours.id} failed: {error['type']}: {error['message']}")

    def on_trial_complete(
        self, iteration: int, trials: list[TuneTrial], trial: TuneTrial, **info: Any
    ) -> None:
        """Mark a trial that a scheduler stopped early as done: resuming must not go on with it."""
        result = trial.last_result
        if result.get("state") != RUNNING or self._stopper.requested:
            return
        ours = trial_from(trial.config)
        steps = int(result["env_steps"])
        self._folder.trial(ours.id).set_status(DONE, steps, stopped_early=True)
        self._progress.finish(ours, DONE)

    def on_trial_error(
        self, iteration: int, trials: list[TuneTrial], trial: TuneTrial, **info: Any
    ) -> None:
        """Record a trial whose process died more often than it is started again."""
        ours = trial_from(trial.config)
        files = self._folder.trial(ours.id)
        error = trial.get_error() or RuntimeError("the process of the trial died")
        report = failure(error, int(files.status()["env_steps"]), files)
        record_failure(files, report)
        self._progress.finish(ours, FAILED)
        self._progress.say(f"{ours.id} failed: {report['type']}: {report['message']}")
