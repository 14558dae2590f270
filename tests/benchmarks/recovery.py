"""How long a run on a cluster takes to train again after a fault, and how many steps it repeats.

    python tests/benchmarks/recovery.py [--only node,trial]

Two SAC trials on a real local cluster of three nodes with a CPU each. Every fault is made in the
middle of training; the clock stops at the first new row of the trial that was hit. It prints a
Markdown table.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import signal
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from expedition.cluster import local, processes, submission
from expedition.cluster.dashboard import connect
from expedition.cluster.request import Request, read
from expedition.cluster.state import HOME_VARIABLE, Cluster, plan_nodes
from expedition.platform.session import quiet
from expedition.platform.store import RunFolder, TrialFolder, read_json

COMMAND = ["train", "sac", "expedition/Navigation-v0", "--steps", "1000000", "--seeds", "2"]
CHECKPOINT = ["--set", "iteration_steps=100", "--set", "checkpoint_every=10", "--no-track"]
_PATIENCE_S = 240.0


@dataclass
class Trial:
    """A trial of the run that is watched."""

    folder: TrialFolder

    @property
    def steps(self) -> int:
        """Environment steps of the newest row."""
        rows = self.folder.rows()
        return int(rows[-1]["env_steps"]) if rows else 0

    @property
    def owner(self) -> int:
        """Process that trains it."""
        return int(read_json(self.folder.path / ".owner.json").get("pid", 0))


def main() -> None:
    """Make every fault once and print what it cost."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--only", default=",".join(FAULTS))
    chosen = parser.parse_args().only.split(",")
    quiet(False)
    os.environ["OMP_NUM_THREADS"] = "1"
    with tempfile.TemporaryDirectory() as folder:
        os.environ[HOME_VARIABLE] = f"{folder}/home"
        try:
            print("| fault | seconds until it trains again | env steps made twice |\n|---|---|---|")
            for name in chosen:
                seconds, repeated = measure(Path(folder) / name, FAULTS[name])
                print(f"| {name} | {seconds:.1f} | {repeated:,} |", flush=True)
        finally:
            local.down()


def measure(
    results: Path, fault: Callable[[Cluster, Request, Path, Trial], None]
) -> tuple[float, int]:
    """Start a run, make a fault, and wait until it trains again.

    Returns:
        Seconds from the fault to the first new row, and environment steps made twice.
    """
    local.down()
    cluster = local.up(plan_nodes(3, [1]), object_store_mib=100, dashboard_port=None)
    request = read([*COMMAND, *CHECKPOINT])
    submit(request, results)
    folder = RunFolder(results / request.run)
    trials = [Trial(folder.trial(name)) for name in folder_ids(folder)]
    wait(lambda: all(trial.steps and _saved(trial) for trial in trials))
    victim = next(trial for trial in trials if on_worker(cluster, trial))
    at = victim.steps
    wait(lambda: victim.steps > at)  # a row has just been written
    before, owner = victim.steps, victim.owner
    begun = time.monotonic()
    fault(cluster, request, results, victim)
    wait(lambda: victim.owner != owner)
    start = lowest_steps(victim)
    return time.monotonic() - begun, max(0, before - start)


def lowest_steps(trial: Trial) -> int:
    """Wait for a trial's first new row; return where it went on from."""
    lowest = [trial.steps]

    def grown() -> bool:
        now = trial.steps
        lowest.append(min(now, lowest[-1]))
        return now > lowest[-1]

    wait(grown)
    return lowest[-1]


def _saved(trial: Trial) -> bool:
    return trial.folder.checkpoints.is_dir() and any(trial.folder.checkpoints.iterdir())


def folder_ids(folder: RunFolder) -> list[str]:
    """Wait for the trials of a run and name them."""
    wait(lambda: len(folder.trial_ids()) == 2)
    return folder.trial_ids()


def on_worker(cluster: Cluster, trial: Trial) -> str:
    """Name of the worker node that a trial is on, or nothing."""
    names = [node.name for node in cluster.nodes[1:]]
    return next((n for n in names if trial.owner in processes.node_members(cluster, n)), "")


def submit(request: Request, results: Path) -> submission.Job:
    """Submit the run."""
    return submission.submit(connect(None), request, results, None, lambda line: None)


def wait(what: Callable[[], object]) -> None:
    """Wait until something is true."""
    deadline = time.monotonic() + _PATIENCE_S
    while not what():
        if time.monotonic() > deadline:
            raise TimeoutError("it did not happen")
        time.sleep(0.05)


def kill(pids: list[int]) -> None:
    """End processes without asking."""
    for pid in pids:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)


def lose_trial(cluster: Cluster, request: Request, results: Path, victim: Trial) -> None:
    """Kill the process of a trial."""
    kill([victim.owner])


def lose_node(cluster: Cluster, request: Request, results: Path, victim: Trial) -> None:
    """Kill every process of the node that a trial is on."""
    kill(processes.node_members(cluster, on_worker(cluster, victim)))


def lose_driver(cluster: Cluster, request: Request, results: Path, victim: Trial) -> None:
    """Kill the launch itself, and submit the run again when Ray has noticed."""
    for process in Path("/proc").iterdir():
        with contextlib.suppress(OSError):
            words = (process / "cmdline").read_bytes().split(b"\0")
            if b"expedition.platform.cli.app" in words and int(process.name) in processes.members(
                cluster
            ):
                kill([int(process.name)])
    wait(lambda: all(job.ended for job in submission.jobs(connect(None))))
    submit(request, results)


def stop_job(cluster: Cluster, request: Request, results: Path, victim: Trial) -> None:
    """Stop the job in order, and submit the run again."""
    job = submission.find(connect(None))
    submission.stop(connect(None), job, print)
    submit(request, results)


def lose_head(cluster: Cluster, request: Request, results: Path, victim: Trial) -> None:
    """Kill every process of the head, start a new cluster, and submit the run again."""
    kill(processes.node_members(cluster, "node-0"))
    local.down()
    local.up(plan_nodes(3, [1]), object_store_mib=100, dashboard_port=None)
    submit(request, results)


FAULTS: dict[str, Callable[[Cluster, Request, Path, Trial], None]] = {
    "trial": lose_trial,
    "node": lose_node,
    "driver": lose_driver,
    "stop": stop_job,
    "head": lose_head,
}


if __name__ == "__main__":
    main()
