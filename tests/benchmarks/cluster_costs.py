"""What one driver, MLflow and the checkpoints cost, and at how many nodes each is full.

    python tests/benchmarks/cluster_costs.py

The costs are measured here: processor seconds of the driver for a result and for a trial, by the
difference of a long and a short launch of a method that does nothing; rows a second that MLflow
takes from the mirror, into SQLite; the time of a look of the
mirror at a run that has nothing new; the time and the size of a row and of a checkpoint, the latter
as networks and as bytes an environment step of replay; weights and transitions that a remote env
runner exchanges with its learner.

The second table is arithmetic on them: see `Load` for the assumptions.
"""

from __future__ import annotations

import io
import os
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

os.environ["OMP_NUM_THREADS"] = "1"
# For this process and its workers: there is the method "fake".
sys.path.insert(0, str(Path(__file__).parents[1] / "platform" / "plugin"))
os.environ["PYTHONPATH"] = os.pathsep.join([sys.path[0], os.environ.get("PYTHONPATH", "")])

import numpy as np
import ray
import torch
from rich.console import Console

from expedition.algorithms.sac import SAC, SACConfig
from expedition.platform import manifest
from expedition.platform.launch import Options, launch, plan_trials
from expedition.platform.mlflow_store import Sender
from expedition.platform.runfolder import open_run
from expedition.platform.session import quiet
from expedition.platform.spec import Experiment, build
from expedition.platform.store import RUNNING, RunFolder, TrialFolder

ROWS = 1000  # of a trial, in MLflow
LOOKS_S = 5.0  # seconds between two looks of the mirror at every trial
METRICS = 25  # of a row; SMM's rows have as many


@dataclass(frozen=True)
class Load:
    """A cluster at work. All trials are alike, each has one CPU, and all belong to one launch.

    Attributes:
        nodes: Machines.
        cpus: Of each machine; as many trials run on it.
        steps_per_s: Environment steps a second of a trial; SAC with 300-300 networks here.
        row_steps: Environment steps between rows, ``iteration_steps``.
        checkpoint_steps: Between checkpoints, ``checkpoint_every`` rows.
        budget: Environment steps of a trial; its replay holds all of them.
        disk: Bytes a second that the shared storage takes: 10 Gbit/s.
    """

    nodes: int
    cpus: int = 16
    steps_per_s: float = 130.0
    row_steps: int = 1000
    checkpoint_steps: int = 10_000
    budget: int = 1_000_000
    disk: float = 10e9 / 8

    @property
    def trials(self) -> int:
        """Trials at the same time."""
        return self.nodes * self.cpus

    @property
    def rows_per_s(self) -> float:
        """Rows a second of all trials."""
        return self.trials * self.steps_per_s / self.row_steps


@dataclass(frozen=True)
class Costs:
    """What was measured.

    Attributes:
        result_s: Processor seconds of the driver for a result.
        trial_s: And for a trial, beside its results.
        mlflow_s: Seconds of a row, into SQLite.
        look_s: Processor seconds of the driver for a look of the mirror at a trial.
        networks: Bytes of a checkpoint without replay.
        step: Bytes of replay for an environment step, as a checkpoint has it.
    """

    result_s: float
    trial_s: float
    mlflow_s: float
    look_s: float
    networks: float
    step: float


def main() -> None:
    """Measure and print both tables."""
    quiet(False)
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as folder:
        ray.init(num_cpus=4, include_dashboard=False, log_to_driver=False, logging_level="ERROR")
        print("| | |\n|---|---|")
        result_s, trial_s = driver(Path(folder))
        row("driver, a result", f"{1000 * result_s:.2f} ms of its processor")
        row("driver, a trial", f"{1000 * trial_s:.1f} ms of its processor")
        rows(Path(folder) / "rows")
        networks, step = checkpoint(Path(folder))
        exchange()
        ray.shutdown()
        mlflow_s, look_s = tracking(Path(folder))
    costs = Costs(result_s, trial_s, mlflow_s, look_s, networks, step)
    print("\n| nodes | trials | rows/s | driver | MLflow | storage, at the end | full at |")
    print("|---|---|---|---|---|---|---|")
    for nodes in (1, 64, 1000):
        estimate(Load(nodes), costs)


def row(name: str, value: str) -> None:
    """Print a row of the first table."""
    print(f"| {name} | {value} |", flush=True)


def fakes(trials: int, rows: int) -> Experiment:
    """An experiment of a method that does nothing, whose rows are small."""
    return build(
        {
            "name": "test/costs", "paper": "test", "figure": "Fig. 0", "title": "Costs",
            "env": "CartPole-v1", "variants": {"one": {"algorithm": "fake"}}, "seeds": trials,
            "budget": 10 * rows, "checkpoint_every": 10**6,
            "metrics": {"return": {"key": "train/return_mean"}},
        },
        ".".join,
    )  # fmt: skip


def driver(folder: Path) -> tuple[float, float]:
    """Processor seconds of this process, the driver, for a result and for a trial."""

    def cost(trials: int, rows: int) -> float:
        name = f"driver-{trials}-{rows}"
        options = Options(folder, name, track=False, console=Console(file=io.StringIO()))
        before = time.process_time()
        assert launch(fakes(trials, rows), options).complete
        return time.process_time() - before

    cost(4, 2)  # imports
    short, long, many = cost(4, 10), cost(4, 510), cost(64, 10)
    result = (long - short) / (4 * 500)
    return result, (many - short) / 60 - 10 * result


def rows(folder: Path) -> None:
    """Time of a row in the trial's process, and its size."""
    files = TrialFolder(folder)
    folder.mkdir()
    content = made_up_row(1)
    seconds = timed(lambda: [files.append_row(content) for _ in range(ROWS)]) / ROWS
    row("trial, a row", f"{1e6 * seconds:.0f} µs, {files.progress.stat().st_size / ROWS:.0f} bytes")


def made_up_row(iteration: int) -> dict[str, float]:
    """A row of as many numbers as methods report."""
    names = {f"learner/term_{index}": 0.123456789 * index for index in range(METRICS - 3)}
    steps = {"iteration": iteration, "env_steps": 1000 * iteration, "time/seconds": 7.5 * iteration}
    return {**steps, **names}


def checkpoint(folder: Path) -> tuple[float, float]:
    """Size of a checkpoint of SAC: bytes of networks, and of an environment step of replay."""
    sizes = []
    algo = trained(0)
    for more in range(2):
        path = folder / f"checkpoint-{more}"
        seconds = timed(lambda path=path: algo.save_to_path(str(path)))
        sizes.append(sum(file.stat().st_size for file in path.rglob("*") if file.is_file()))
        for _ in range(4 * (1 - more)):
            algo.train()
    steps = algo.env_steps - 1000
    algo.stop()
    step = (sizes[1] - sizes[0]) / steps
    networks = sizes[0] - 1000 * step
    row("checkpoint of SAC", f"{networks / 2**20:.1f} MiB, and {step:.0f} bytes an env step")
    row("the same of 5,000 steps", f"{seconds:.2f} s to save")
    return networks, step


def trained(runners: int) -> SAC:
    """SAC on the manipulation's 300-300 networks after an iteration of 1,000 steps."""
    config = SACConfig().environment("expedition/ManipulationFetch-v0").debugging(seed=0)
    config.training(hidden_sizes=(300, 300), updates_per_step=0.0, replay_capacity=100_000)
    algo = config.env_runners(num_env_runners=runners).build_algo()
    algo.train()
    return algo


def exchange() -> None:
    """Bytes between a learner and a remote runner."""
    algo = trained(0)
    weights = sum(array.nbytes for array in algo.policy_state().values())
    transitions = algo.env_runner.sample(num_steps=100, random_actions=True)
    size = sum(array.nbytes for array in transitions.values()) / 100
    algo.stop()
    row("runner, weights a fragment", f"{weights / 2**20:.2f} MiB, once a node")
    row("runner, transitions", f"{size:.0f} bytes an env step")


def tracking(folder: Path) -> tuple[float, float]:
    """Seconds of a row in MLflow, and of a look at a trial that has nothing new."""
    run = made_up_run(folder / "tracked")
    seconds, looks = sent(run, f"sqlite:///{folder}/mlflow.db")
    row("MLflow in SQLite", f"{1 / seconds:,.0f} rows/s of {METRICS} numbers")
    row("mirror, nothing new in 1,000 rows", f"{1000 * looks:.1f} ms")
    return seconds, looks


def made_up_run(results: Path) -> RunFolder:
    """A run with two trials under way."""
    experiment = fakes(2, ROWS)
    folder = open_run(results, experiment, name="run", resume=False, kind="")
    manifest.begin(folder, ("costs",), experiment.preset)
    for trial in plan_trials(folder, experiment, None):
        files = folder.trial(trial.id)
        files.set_status(RUNNING, 0)
        files.append_row(made_up_row(1))
    return folder


def sent(folder: RunFolder, uri: str) -> tuple[float, float]:
    """Seconds a row, and of a look at 1,000 rows of which none is new."""
    sender = Sender(folder, uri, 0.0)
    sender.send()  # creates the runs
    trials = [folder.trial(name) for name in folder.trial_ids()]
    for files in trials:
        for iteration in range(2, ROWS + 1):
            files.append_row(made_up_row(iteration))
    seconds = timed(sender.send)
    looks = float(np.median([timed(sender.send) for _ in range(5)]))
    return seconds / (ROWS * len(trials)), looks / len(trials)


def timed(work: Callable[[], object]) -> float:
    """Wall-clock seconds of some work."""
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


def estimate(load: Load, costs: Costs) -> None:
    """Print how much of one driver, MLflow and the storage a cluster uses."""
    replay = costs.networks + costs.step * load.budget
    checkpoints = load.trials * load.steps_per_s / load.checkpoint_steps
    used = {
        "driver": load.rows_per_s * costs.result_s + load.trials * costs.look_s / LOOKS_S,
        "MLflow": load.rows_per_s * costs.mlflow_s,
        "storage": checkpoints * replay / load.disk,
    }
    first = max(used, key=lambda name: used[name])
    shares = " | ".join(f"{share:.0%}" for share in used.values())
    print(
        f"| {load.nodes:,} | {load.trials:,} | {load.rows_per_s:,.1f} | {shares}"
        f" | {load.nodes / used[first]:,.0f} nodes, by the {first} |"
    )


if __name__ == "__main__":
    main()
