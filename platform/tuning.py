"""The Tune run of a launch: its configuration, its callbacks and its stop."""

from __future__ import annotations

import contextlib
import shutil
import uuid
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ray import tune
from ray.tune.search import BasicVariantGenerator

from expedition.platform import staging
from expedition.platform.cluster_watch import ClusterWatch
from expedition.platform.interrupt import Interruption, interruptible
from expedition.platform.placement import require_room
from expedition.platform.places import address
from expedition.platform.plan import Trial, trials_of
from expedition.platform.progress import Progress
from expedition.platform.reporter import Reporter
from expedition.platform.session import ray_session
from expedition.platform.spec import Experiment
from expedition.platform.store import DONE, PENDING, RUNNING, RunFolder
from expedition.platform.trainable import ExperimentTrial

if TYPE_CHECKING:
    from expedition.platform.launch import Options
    from expedition.platform.schedulers import Sweep
    from expedition.platform.tracking import Mirror

PASSES = 3  # Tune runs of one launch, of which the later ones pick up what an earlier one left
_LEFT = (PENDING, RUNNING)
RESTARTS = 3  # times a trial whose process died is started again, from its last checkpoint


def run_trials(
    folder: RunFolder,
    experiment: Experiment,
    options: Options,
    sweep: Sweep | None,
    trials: Sequence[Trial],
    mirror: Mirror | None,
) -> bool:
    """Run trials and wait for them.

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

    with (
        ray_session(options.address, debug=options.debug),
        interruptible(announce, folder.stop) as stopper,
    ):
        place = "this machine" if options.address is None else "the cluster"
        require_room(experiment, living_nodes(), place)
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
        reporter = Reporter(folder, progress, stopper, mirror)
        todo = [t for t in trials if _state(folder, t) != DONE]
        with progress:
            for _ in range(PASSES):
                _tune(folder, _arguments(folder, experiment, sweep, todo), reporter, stopper)
                staging.refresh(folder)
                # A process that dies while Tune hands it to another trial can take that with it.
                todo = [t for t in todo or _made_up(folder) if _state(folder, t) in _LEFT]
                if not todo or stopper.requested:
                    break
        return stopper.requested


def _state(folder: RunFolder, trial: Trial) -> str:
    return str(folder.trial(trial.id).status()["state"])


def _made_up(folder: RunFolder) -> list[Trial]:
    """List the trials of a searcher that makes up its points."""
    return [Trial.from_dict(folder.trial(name).read_trial()) for name in folder.trial_ids()]


def _tune(
    folder: RunFolder, arguments: dict[str, Any], reporter: Reporter, stopper: Interruption
) -> None:
    reporter.expect(arguments.pop("expected"))
    arguments = {"storage_path": str(folder.scratch), **arguments}
    ended = tune.run(
        ExperimentTrial,
        name=f"tune-{uuid.uuid4().hex[:8]}",  # a launch of the same second has a folder of its own
        reuse_actors=True,
        callbacks=[reporter, ClusterWatch()],
        stop=stopper,
        verbose=0,
        max_failures=RESTARTS,
        raise_on_failed_trial=False,
        trial_name_creator=lambda trial: trial.trial_id,
        trial_dirname_creator=lambda trial: trial.trial_id,
        **arguments,
    )
    _remove_copies(ended.trials)
    folder.remove_scratch()


def _remove_copies(trials: Iterable[Any]) -> None:
    """Remove the copies of its state that Tune leaves on this node until the cluster ends."""
    for place in {Path(trial.storage.experiment_driver_staging_path).parent for trial in trials}:
        shutil.rmtree(place, ignore_errors=True)
        with contextlib.suppress(OSError):  # of another launch
            place.parent.rmdir()


def living_nodes() -> list[dict[str, float]]:
    """List the resources of every living node."""
    import ray

    return [dict(node["Resources"]) for node in ray.nodes() if node["Alive"]]


def slots(cpus: float, gpus: float) -> int:
    """Count the trials that the cluster can run at the same time, at least 1."""
    import ray

    total = ray.cluster_resources()
    fits = [total.get("CPU", 1.0) / cpus]
    if gpus:
        fits.append(total.get("GPU", 0.0) / gpus)
    return max(1, int(min(fits)))


def _arguments(
    folder: RunFolder, experiment: Experiment, sweep: Sweep | None, todo: Sequence[Trial]
) -> dict[str, Any]:
    """Give the arguments of ``tune.run`` that say what runs, and how many trials to expect."""
    config: dict[str, Any] = {"run": address(folder.path)}
    if sweep is not None:
        config["objective"] = sweep.objective.to_dict()
    if sweep is None:
        config["trial"] = tune.grid_search([trial.id for trial in todo])
        return {"config": config, "expected": len(todo)}
    return _sweep_arguments(folder, experiment, sweep, todo, config)


def _sweep_arguments(
    folder: RunFolder,
    experiment: Experiment,
    sweep: Sweep,
    todo: Sequence[Trial],
    config: dict[str, Any],
) -> dict[str, Any]:
    from expedition.platform.schedulers import scheduler_of

    scheduler = scheduler_of(sweep, experiment, folder)
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
            "scheduler": scheduler, "expected": len(todo), **staging.tune_storage(folder),
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
    tasks = [cell["task"] for cell in next(iter(grouped.values()))]
    known = known_points(folder, sweep.objective, len(tasks))
    done = sum(len(found.scored) for found in known.values())
    count = max(0, sweep.samples * len(grouped) - done) * len(tasks)
    return {
        "config": {**config, "cells": grouped},
        "search_alg": optuna_searcher(sweep, experiment, known, tasks),
        "num_samples": count,
        "expected": count,
    }
