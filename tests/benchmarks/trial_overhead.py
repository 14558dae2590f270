"""What a trial costs besides its training: trivial trials against empty functions under Tune.

    OMP_NUM_THREADS=1 python tests/benchmarks/trial_overhead.py [--trials 200]

A trivial trial is the random policy for one environment step. All sides run the same number of
trials on one local Ray, as many at a time as there are cores: empty functions and empty classes
under plain Tune, with their processes reused, and our launch without and with MLflow. Then the
parts of a trial and the flushing of a checkpoint are timed in this process, without Tune, and the
imports in fresh ones. Tables are Markdown.
"""

from __future__ import annotations

import argparse
import contextlib
import io
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from ray import tune
from rich.console import Console

from expedition.platform import session
from expedition.platform.launch import Options, launch
from expedition.platform.overrides import Override
from expedition.platform.plan import trials_of
from expedition.platform.single import single_experiment
from expedition.platform.spec import Experiment
from expedition.platform.store import RunFolder, sync, sync_all
from expedition.platform.trial_run import TrialRun

ENV = "expedition/Navigation-v0"
IMPORTS = (
    "ray",
    "ray.tune",
    "torch",
    "ray.rllib",
    "expedition.platform.trainable",
    "expedition.algorithms.random",
)


class Nothing(tune.Trainable):
    """A class that is done after one step."""

    def step(self) -> dict[str, Any]:
        """Report that it is done."""
        return {"done": True}

    def reset_config(self, new_config: dict[str, Any]) -> bool:
        """Let the process be used again."""
        return True


def nothing(config: dict[str, Any]) -> None:
    """Return at once."""


def main() -> None:
    """Run every side once and print the tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--trials", type=int, default=200)
    parser.add_argument("--parts", type=int, default=20, help="trials timed without Tune")
    asked = parser.parse_args()
    with session.ray_session(None, debug=False), tempfile.TemporaryDirectory() as folder:
        compare(Path(folder), asked.trials)
        parts(Path(folder) / "parts", asked.parts)
        flushes(Path(folder) / "flushes", asked.parts)
    imports()


def compare(folder: Path, count: int) -> None:
    """Time the sides and print milliseconds a trial."""
    experiment = trivial(count)
    sides: dict[str, Callable[[], None]] = {
        "Tune, an empty function": lambda: plain_tune(nothing, folder, count),
        "Tune, an empty class": lambda: plain_tune(Nothing, folder, count),
        "expedition, without MLflow": lambda: ours(experiment, folder / "plain", track=False),
        "expedition": lambda: ours(experiment, folder / "tracked", track=True),
    }
    print("| side | s | ms a trial | over an empty function |\n|---|---|---|---|")
    ideal = 0.0
    for name, run in sides.items():
        begun = time.perf_counter()
        run()
        seconds = time.perf_counter() - begun
        each = 1000 * seconds / count
        ideal = ideal or each
        print(f"| {name} | {seconds:.1f} | {each:.0f} | {each - ideal:+.0f} |", flush=True)


def trivial(count: int) -> Experiment:
    """The random policy, one step, so many seeds."""
    one_step = [Override(("iteration_steps",), 1)]
    return single_experiment("random", ENV, steps=1, seeds=count, overrides=one_step)


def plain_tune(trainable: Any, folder: Path, count: int) -> None:
    """Run trials that do nothing."""
    with contextlib.redirect_stdout(io.StringIO()):  # a line a trial, also at verbosity 0
        analysis = tune.run(
            trainable, num_samples=count, reuse_actors=True, verbose=0,
            storage_path=str(folder / "tune"), resources_per_trial={"cpu": 1},
        )  # fmt: skip
    assert len(analysis.trials) == count


def ours(experiment: Experiment, results: Path, *, track: bool) -> None:
    """Run trivial trials as the command line does."""
    console = Console(file=io.StringIO())
    outcome = launch(experiment, Options(results=results, track=track, console=console))
    assert outcome.complete


def parts(folder: Path, count: int) -> None:
    """Time the parts of a trial in this process and print their medians."""
    rows: list[dict[str, float]] = []
    for trial in trials_of(trivial(count + 1)):
        begun = time.perf_counter()
        run = TrialRun(trial, RunFolder(folder).trial(trial.id))
        built = time.perf_counter()
        run.algorithm.train()
        trained = time.perf_counter()
        run.save()
        saved = time.perf_counter()
        run.close()
        ended = time.perf_counter()
        rows.append(
            {
                "build the algorithm, take the folder": built - begun,
                "train for one step": trained - built,
                "write a checkpoint": saved - trained,
                "close": ended - saved,
            }
        )
    print("\n| part of a trial | ms | the first |\n|---|---|---|")
    first, *others = rows  # the first imports and compiles
    for name in first:
        median = statistics.median(row[name] for row in others)
        print(f"| {name} | {1000 * median:.1f} | {1000 * first[name]:.0f} |")


def flushes(folder: Path, rounds: int) -> None:
    """Flush the files of a checkpoint one by one and together, by turns, and print medians."""
    (trial,) = trials_of(trivial(1))
    run = TrialRun(trial, RunFolder(folder).trial(trial.id))
    run.algorithm.train()
    took: dict[str, list[float]] = {"one by one": [], "together": []}
    for number in range(rounds):
        for way, seconds in took.items():
            copy = folder / f"{number} {way}"
            copy.mkdir()
            run.algorithm.save_to_path(str(copy))
            files = [file for file in copy.rglob("*") if file.is_file()]
            begun = time.perf_counter()
            if way == "together":
                sync_all(files)
            else:
                for file in files:
                    sync(file)
            seconds.append(time.perf_counter() - begun)
    run.close()
    print(f"\n| flush of a checkpoint's {len(files)} files | ms |\n|---|---|")
    for way, seconds in took.items():
        print(f"| {way} | {1000 * statistics.median(seconds):.1f} |", flush=True)


def imports() -> None:
    """Time imports in fresh interpreters and print them: what a new process of a trial pays."""
    print("\n| import | s |\n|---|---|")
    for name in IMPORTS:
        begun = time.perf_counter()
        subprocess.run([sys.executable, "-c", f"import {name}"], check=True)
        print(f"| `{name}` | {time.perf_counter() - begun:.2f} |", flush=True)


if __name__ == "__main__":
    main()
