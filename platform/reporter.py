"""What Tune tells while it runs, passed on to the display, the mirror and the run folder."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ray import tune

from expedition.platform.failures import failure, record_failure
from expedition.platform.interrupt import Interruption
from expedition.platform.progress import Progress
from expedition.platform.store import DONE, FAILED, RUNNING, RunFolder
from expedition.platform.trainable import trial_from
from expedition.platform.trial_staging import send_status

if TYPE_CHECKING:
    from ray.tune.experiment import Trial as TuneTrial

    from expedition.platform.tracking import Mirror


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

    def expect(self, trials: int) -> None:
        """Tell the display how many trials there will be, as far as they are not planned."""
        self._progress.expect(trials)

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
        send_status(self._folder.trial(ours.id))
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
