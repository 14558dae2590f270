"""One trial from its folder to its budget: train, record, checkpoint, and pick up again."""

from __future__ import annotations

import contextlib
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from expedition.algorithms.core.metrics import curate
from expedition.platform import checkpoints
from expedition.platform.building import build_algorithm
from expedition.platform.checkpoints import Checkpoint
from expedition.platform.failures import failure, record_failure, refuse_non_finite
from expedition.platform.handover import hand_over, networks_of
from expedition.platform.learning_rates import Rates, learning_rates, set_learning_rates
from expedition.platform.ownership import Ownership, OwnershipLostError
from expedition.platform.plan import Trial
from expedition.platform.store import DONE, RUNNING, TrialFolder, explain
from expedition.platform.trial_staging import StagedTrial

if TYPE_CHECKING:
    from ray.rllib.algorithms.algorithm import Algorithm

HANDOVER_S = 30.0  # how long a worker of a killed launch may take to notice and let go


class TrialRun:
    """A trial in progress: the only writer of its folder.

    Building it takes the folder over and restores the newest readable checkpoint, so that the
    rows that follow are those of a run that was never interrupted.

    Args:
        trial: What to run.
        folder: Where it is recorded.

    Raises:
        Exception: Whatever building or restoring the algorithm raises; the folder is let go.
    """

    def __init__(self, trial: Trial, folder: TrialFolder) -> None:
        self.trial = trial
        self.folder = folder
        self.rows: list[dict[str, Any]] = []
        self.notes: list[str] = []
        self._iteration = 0
        self._env_steps = 0
        self._seconds = 0.0
        self._saved_at = 0
        self._stage = 0
        self._stage_start = 0  # environment steps made before this stage
        self._algorithm: Algorithm | None = None
        self._rates: Rates = {}  # as this trial's settings say
        folder.path.mkdir(parents=True, exist_ok=True)
        self._ownership = Ownership.take_over(folder.path, HANDOVER_S)
        self._staged = StagedTrial.of(folder)
        try:
            if self._staged is not None:
                self._staged.take_over(self._ownership)
            self._open()
        except BaseException:
            self.close()
            raise

    def _open(self) -> None:
        if self.folder.read_trial() != self.trial.to_dict():
            self.folder.write_trial(self.trial.to_dict())
        if self.folder.status()["state"] == DONE and (rows := self.folder.rows()):
            self.rows = rows
            self._iteration = self._saved_at = self.rows[-1]["iteration"]
            self._env_steps = self.rows[-1]["env_steps"]
            return
        self._build()
        self._resume()
        # A crash between the last checkpoint and the last status leaves nothing to do but this.
        self.folder.set_status(DONE if self.finished else RUNNING, self._env_steps)
        self._send()

    def _send(self) -> None:
        """Send what is new to the object store, if results go to one."""
        note = self._staged.try_send() if self._staged is not None else None
        if note:
            self.notes.append(note)

    def _resume(self) -> None:
        """Go on from the newest checkpoint that can be used, or from the start."""
        refused = []
        for path, checkpoint in checkpoints.newest_first(self.folder.checkpoints):
            problem = "is not readable" if checkpoint is None else self._restored(checkpoint)
            if problem is None:
                break
            refused.append(f"checkpoint {path} {problem}")
            self._rebuild()
        else:
            self._start()
        going_on = f"going on from iteration {self._iteration}"
        instead = going_on if self._iteration else "starting from the beginning"
        self.notes += [f"{reason}; {instead}" for reason in refused]

    def _start(self) -> None:
        if self._stage:
            self._stage = 0
            self._rebuild()
        self._stage_start = 0
        self.rows = self.folder.cut_back(0)

    def _restored(self, checkpoint: Checkpoint) -> str | None:
        """Restore a checkpoint of this trial; otherwise say what is wrong with it."""
        before = sum(row["iteration"] <= checkpoint.iteration for row in self.folder.rows())
        if checkpoint.rows is not None and before != checkpoint.rows:
            return f"goes on after {checkpoint.rows} rows, of which {before} are there"
        try:
            self.restore(checkpoint)
        except Exception as error:  # RLlib raises anything from KeyError to UnpicklingError
            return f"cannot be restored ({type(error).__name__}: {error})"
        return None

    def _rebuild(self) -> None:
        """Build the algorithm again: a restore that failed may have left it half changed."""
        self.algorithm.stop()  # its processes must be gone before new ones ask for their CPUs
        self._build()

    def _build(self) -> None:
        self._algorithm = build_algorithm(self._stage_trial)
        if self.trial.search:
            self._rates = learning_rates(self._algorithm)

    @property
    def _stage_trial(self) -> Trial:
        """The stage that is being trained, as a trial of its own."""
        return self.trial.at_stage(self._stage)

    @property
    def _stage_over(self) -> bool:
        return self._env_steps - self._stage_start >= self._stage_trial.budget

    def _next_stage(self) -> None:
        """Begin the next stage with what the last one has learned."""
        stage = self.trial.stages[self._stage + 1]
        learned = networks_of(self.algorithm, stage["keep"])
        self._stage, self._stage_start = self._stage + 1, self._env_steps
        self._rebuild()
        hand_over(learned, self.algorithm, stage["name"])

    @property
    def algorithm(self) -> Algorithm:
        """The algorithm being trained."""
        if self._algorithm is None:
            raise RuntimeError(f"trial {self.trial.id} is finished or closed")
        return self._algorithm

    @property
    def live(self) -> bool:
        """Whether there is an algorithm: a trial finished by an earlier launch has none."""
        return self._algorithm is not None

    @property
    def env_steps(self) -> int:
        """Environment steps made so far."""
        return self._env_steps

    @property
    def finished(self) -> bool:
        """Whether the budget is spent, or the trial was finished by an earlier launch."""
        done_before = not self.live and bool(self.rows)
        is_last = self._stage >= len(self.trial.stages) - 1
        return done_before or (is_last and self._stage_over)

    def advance(self) -> dict[str, Any]:
        """Make one training iteration and record it; save it when it is due or a stage's last.

        Returns:
            The curated row.

        Raises:
            NonFiniteLossError: A loss became NaN or infinite; the row is not recorded.
            OwnershipLostError: Another launch took the trial over; nothing was written.
            UserError: The folder cannot be written.
        """
        if self._stage_over:
            self._next_stage()
        start = time.perf_counter()
        result = self.algorithm.train()
        self._seconds += time.perf_counter() - start
        row: dict[str, Any] = dict(curate(result))
        env_steps = self._stage_start + int(row["env_steps"])
        refuse_non_finite(result, env_steps)
        self._iteration += 1
        self._env_steps = env_steps
        # RLlib counts iterations and seconds from the last restart of the process, we do not.
        row |= {"env_steps": env_steps, "iteration": self._iteration}
        row |= {"time/seconds": self._seconds}
        if self.trial.stages:
            row["stage"] = self.trial.stages[self._stage]["name"]
            row["stage_env_steps"] = env_steps - self._stage_start
        row |= {f"search/{name}": value for name, value in self._numeric_search().items()}
        self._ownership.check()
        self._write(row)
        return row

    def _write(self, row: dict[str, Any]) -> None:
        try:
            self.folder.append_row(row)
            self.rows.append(row)
            if self._stage_over or self._iteration % self.trial.checkpoint_every == 0:
                self.save()
                self.folder.set_status(DONE if self.finished else RUNNING, self._env_steps)
                self._send()
        except OSError as error:
            raise explain(error, self.folder.path) from error

    def _numeric_search(self) -> dict[str, float]:
        """Values chosen by a sweep that can be plotted: PBT changes them during a trial."""
        values = self.trial.search.items()
        return {name: value for name, value in values if isinstance(value, int | float)}

    def save(self) -> Path:
        """Write a checkpoint and the coverage arrays into the trial's folder."""
        self.folder.write_coverage(coverage_of(self.algorithm))
        self.folder.sync_rows()
        path = checkpoints.publish(
            self.folder.checkpoints,
            self._stage_trial,
            self._position(),
            self.algorithm.save_to_path,
        )
        self._saved_at = self._iteration
        return path

    def export(self, folder: Path) -> None:
        """Write a checkpoint elsewhere, for a scheduler that copies trials."""
        checkpoints.publish(
            folder, self._stage_trial, self._position(), self.algorithm.save_to_path
        )

    def _position(self) -> dict[str, Any]:
        return {
            "iteration": self._iteration,
            "env_steps": self._env_steps,
            "seconds": self._seconds,
            "stage": self._stage,
            "stage_start": self._stage_start,
            "rows": len(self.rows),
        }

    def restore(self, checkpoint: Checkpoint) -> None:
        """Continue from a checkpoint: rows after it are forgotten.

        Args:
            checkpoint: Of this trial, or of another one of the same sweep.
        """
        if checkpoint.stage != self._stage:
            self._stage = checkpoint.stage
            self._rebuild()
        self._stage_start = checkpoint.stage_start
        self.algorithm.restore_from_path(str(checkpoint.path.absolute()))
        if checkpoint.trial.search != self.trial.search:
            set_learning_rates(self.algorithm, self._rates)
        self._iteration = self._saved_at = checkpoint.iteration
        self._env_steps = checkpoint.env_steps
        self._seconds = checkpoint.seconds
        self.rows = self.folder.cut_back(checkpoint.iteration)

    def adopt(self, checkpoint: Checkpoint) -> None:
        """Become a copy of another trial, with this trial's own settings.

        The copy is saved at once and nothing newer is kept: the trial that it replaces may have
        been further, and must not come back after a crash.

        Args:
            checkpoint: Of another trial of the same sweep.
        """
        self._ownership.check()
        checkpoints.remove_after(self.folder.checkpoints, checkpoint.iteration)
        self.restore(checkpoint)
        self.save()
        self.folder.set_status(DONE if self.finished else RUNNING, self._env_steps)
        self._send()

    def fail(self, error: BaseException) -> dict[str, Any]:
        """Record that the trial failed; what is on disk stays as it is.

        Args:
            error: Why.

        Returns:
            ``{type, message, step, last_good_checkpoint}``.
        """
        report = failure(error, self._env_steps, self.folder)
        record_failure(self.folder, report, self._ownership)
        with contextlib.suppress(OwnershipLostError):
            self._send()
        return report

    def close(self) -> None:
        """Stop the algorithm and let go of the folder; harmless when called twice."""
        algorithm, self._algorithm = self._algorithm, None
        try:
            if algorithm is not None:
                algorithm.stop()
        finally:
            if self._staged is not None:
                self._staged.leave()
            self._ownership.release()

    def interrupt(self) -> None:
        """Save what has been trained since the last checkpoint, then close."""
        try:
            if self._algorithm is not None and self._iteration > self._saved_at:
                self._ownership.check()
                self.save()
                if self._staged is not None:
                    self._staged.fetch_status()
                # A scheduler that stopped the trial early has marked it done already.
                if self.folder.status()["state"] == RUNNING:
                    self.folder.set_status(RUNNING, self._env_steps)
                self._send()
        except OwnershipLostError:
            pass  # the new owner has gone on from the last checkpoint
        finally:
            self.close()


def coverage_of(algorithm: Algorithm) -> dict[str, Any]:
    """Arrays of visited states; empty for algorithms that keep none."""
    arrays = getattr(algorithm, "coverage_arrays", None)
    return arrays() if arrays is not None else {}
