"""Several figures from one training: experiments that are about the runs of another.

A file with ``same_runs_as: smm/fig3b`` says what is measured, drawn and claimed, and nothing about
what runs. Its launch takes over the finished trials of the experiment it names, and trains only
what is not there.
"""

from __future__ import annotations

import json
import shutil
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from expedition.platform import staging
from expedition.platform.errors import UserError
from expedition.platform.plan import Trial
from expedition.platform.spec import Experiment, load_resolved
from expedition.platform.store import DONE, PENDING, RunFolder, TrialFolder
from expedition.platform.yamlfile import Document, KeyPath

KEY = "same_runs_as"
TAKEN = (
    "env", "env_config", "tasks", "config", "variants", "stages", "seeds", "budget", "resources",
    "checkpoint_every", "presets",
)  # fmt: skip
"""Keys that decide what runs: they come from the named experiment, and from nowhere else."""

_FILES = ("progress.jsonl", "coverage.npz")  # checkpoints stay where they were made


@dataclass(frozen=True)
class CompletedDocument(Document):
    """A file whose runs are those of another.

    Attributes:
        base: The other file.
    """

    base: Document | None = None

    def where(self, path: KeyPath) -> str:
        """Name the place of a key, in the file that has it."""
        is_taken = self.base is not None and path[:1] and path[0] in TAKEN
        return self.base.where(path) if self.base and is_taken else super().where(path)


def complete(document: Document, name: str, base: Document) -> Document:
    """Fill in what decides the runs from the experiment that a file names.

    Args:
        document: The file with ``same_runs_as``.
        name: Name of the other experiment.
        base: Its file.

    Raises:
        UserError: The file says itself something of what runs.
    """
    own = next((key for key in TAKEN if key in document.data), None)
    if own is not None:
        raise UserError(f"{document.where((own,))}: the runs are those of {name}; leave it out")
    taken = {key: base.data[key] for key in TAKEN if key in base.data}
    lines = {path: line for path, line in base.lines.items() if path[0] in taken}
    root = base.data.get(KEY, name)
    data = {**taken, **document.data, KEY: root}
    return CompletedDocument(document.name, data, {**lines, **document.lines}, base)


def take_finished(
    folder: RunFolder, experiment: Experiment, trials: Sequence[Trial], results: Path
) -> dict[str, int]:
    """Copy finished trials of the experiment's family into a run that would train them anew.

    A trial is the same if algorithm, environment, all settings, budget, resources and seed are
    equal, whatever the names of task and variant. The newest run that has it is taken.

    Args:
        folder: The run; its trials are planned.
        experiment: The resolved experiment; nothing is taken unless it has ``same_runs_as``.
        trials: Its trials.
        results: Results folder.

    Returns:
        Name of a run -> number of trials that it trained.
    """
    if experiment.same_runs_as is None:
        return {}
    wanted = {
        identity(trial.to_dict()): folder.trial(trial.id)
        for trial in trials
        if folder.trial(trial.id).status()["state"] == PENDING
    }
    taken: Counter[str] = Counter()
    for run in _family(experiment.same_runs_as, results):
        if run.path == folder.path:
            continue
        staging.refresh(run)
        for trial_id in run.trial_ids():
            source = run.trial(trial_id)
            key = identity(source.read_trial())
            if key in wanted and source.status()["state"] == DONE:
                origin = source.status().get("taken_from") or f"{run.path.name}/{trial_id}"
                _copy(source, wanted.pop(key), origin)
                taken[origin.partition("/")[0]] += 1
    return dict(taken)


def identity(trial: Mapping[str, Any]) -> str:
    """Write what decides a trial's numbers; equal for equal trials.

    Args:
        trial: The content of a ``trial.json``.
    """
    if not trial:
        return ""
    plain = replace(Trial.from_dict(trial), experiment="", task="", variant="", point=None)
    return json.dumps(plain.to_dict(), sort_keys=True)


def _family(root: str, results: Path) -> list[RunFolder]:
    """Runs of the experiment and of all that share its runs, the newest first."""
    found = []
    staging.refresh_index(results)
    for spec in results.glob("*/spec.yaml"):
        try:
            experiment = load_resolved(spec)
        except UserError:  # a foreign or half-deleted folder among the results
            continue
        if root in (experiment.name, experiment.same_runs_as):
            found.append((spec.stat().st_mtime, spec.parent))
    return [RunFolder(path) for _, path in sorted(found, reverse=True)]


def _copy(source: TrialFolder, target: TrialFolder, origin: str) -> None:
    """Copy rows and arrays, then say that the trial is done: in this order, should it be killed."""
    for name in _FILES:
        if (source.path / name).is_file():
            shutil.copyfile(source.path / name, target.path / name)
    steps = int(source.status()["env_steps"])
    target.set_status(DONE, steps, taken_from=origin)
