"""Whether a cluster on which small runs come and go for a long time keeps anything of them.

    python tests/benchmarks/soak.py [--minutes 30] [--keep-logs 60] [--out samples.jsonl]

One real local cluster of two nodes with two CPUs each, one driver that lives as long as the soak.
The runs take turns: two seeds of SAC, SAC on a remote env runner, SM4's components on actors,
MAESN's tasks on actors, all tracked in one MLflow file; every fifth is submitted as a job instead,
with a driver of its own. After each run, and the few seconds that workers are given to end, it
looks at the cluster. The first runs are a warm-up: they import what is to be imported.

The table shows medians over the first and the last quarter of the samples, and judges by their
later half, so that caches that have filled up are not taken for leaks: what is counted grows if
there is more of it in the last quarter than in the one before; memory and sizes, resident and
without what is shared (Ray's object store), and log files, of which different runs leave
different numbers, grow if a Mann-Kendall test finds a rise (5 %, one sided), however small. The
rate is the median of the slopes between any two samples of that half (Theil-Sen). Of ended
processes the cluster keeps so many log files: fewer than by default, so that half an hour gets
there.
"""

from __future__ import annotations

import argparse
import io
import json
import os
import shutil
import tempfile
import time
from collections.abc import Sequence
from itertools import cycle
from pathlib import Path

from expedition.cluster import loopback

# Ray reads these when it is imported.
os.environ.update({loopback.FLAG: "0", "RAY_AUTH_MODE": "token", "OMP_NUM_THREADS": "1"})

import numpy as np
from rich.console import Console

from expedition.cluster import local, processes, submission, wheel
from expedition.cluster.dashboard import connect
from expedition.cluster.request import Request, read
from expedition.cluster.state import HOME_VARIABLE, Cluster, plan_nodes
from expedition.platform.session import quiet

SHORT = ["--set", "checkpoint_every=2", "--set", "torch_threads=1"]
SAC = ["--steps", "600", "--set", "iteration_steps=100", "--set", "warmup_steps=200", *SHORT]
SPLIT = ["layout=split", "num_skills=2", "component_actors=2", "component_cpus=0.5"]
TASKS = ["task_actors=1", "episodes_per_task=2", "meta_batch_size=5", "checkpoint_every=2"]


def _set(words: Sequence[str]) -> list[str]:
    return [part for word in words for part in ("--set", word)]


RUNS = (
    ["train", "sac", "expedition/Navigation-v0", "--seeds", "2", *SAC],
    ["train", "sac", "expedition/PointRun-v0", *SAC, *_set(["num_env_runners=1"])],
    ["train", "smm", "expedition/Navigation-v0", *SAC, *_set(SPLIT)],
    ["train", "maesn", "expedition/Ring-v0", "--steps", "4000", *_set(TASKS)],
)
SUBMIT_EVERY = 5
SETTLE_S = 30.0
MEMORY = ("head", "raylets", "services", "driver")
MIB = 2**20
ONE_SIDED_5_PERCENT = 1.645  # of the standard normal distribution


def main() -> None:
    """Run for so many minutes and print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--minutes", type=float, default=30.0)
    parser.add_argument("--keep-logs", type=int, default=60)
    parser.add_argument("--out", type=Path, help="every sample as a line of JSON")
    options = parser.parse_args()
    quiet(False)
    with tempfile.TemporaryDirectory(prefix="soak-") as folder:
        os.environ[HOME_VARIABLE] = f"{folder}/home"
        # A temporary folder of its own for the nodes and, once the cluster has found its place
        # (the paths of sockets must be short), for this driver.
        temporary = Path(folder) / "tmp"
        temporary.mkdir()
        os.environ["TMPDIR"] = str(temporary)
        cluster = local.up(
            plan_nodes(2, [2]),
            object_store_mib=100,
            dashboard_port=None,
            kept_logs=options.keep_logs,
        )
        tempfile.tempdir = str(temporary)
        os.environ.update(local.environment(cluster))
        try:
            made = wheel.make(Path(folder))  # once: sources may be edited meanwhile
            wheel.make = lambda place: made
            samples = soak(cluster, Path(folder) / "results", options.minutes * 60, options.out)
        finally:
            local.down()
        left = [path.name for path in (*temporary.iterdir(), cluster.scratch) if path.exists()]
        show(samples, options.minutes)
        print(f"after cluster down: {len(processes.members(cluster))} processes, files: {left}")


def soak(
    cluster: Cluster, results: Path, seconds: float, out: Path | None
) -> list[dict[str, float]]:
    """Make runs until the time is over.

    Returns:
        A sample after every run that followed the warm-up.
    """
    samples: list[dict[str, float]] = []
    requests = [read(words) for words in RUNS]
    deadline, made = 0.0, 0
    for request in cycle(requests):
        begun = time.monotonic()
        if made % SUBMIT_EVERY == SUBMIT_EVERY - 1:
            submitted(request, results)
        else:
            launched(cluster, request, results)
        made += 1
        if made <= max(len(RUNS), SUBMIT_EVERY):
            deadline = time.monotonic() + seconds
            continue
        samples.append(look(cluster) | {"run": made, "seconds": time.monotonic() - begun})
        if out is not None:
            with out.open("a", encoding="utf-8") as stream:
                stream.write(json.dumps(samples[-1]) + "\n")
        if time.monotonic() > deadline:
            return samples
    raise AssertionError("runs do not run out")


def launched(cluster: Cluster, request: Request, results: Path) -> None:
    """Make a run from this process, and remove its folder."""
    from expedition.platform.launch import Options, launch, require_finished

    console = Console(file=io.StringIO())
    options = Options(results, request.run, address=cluster.gcs, console=console)
    require_finished(launch(request.experiment, options))
    shutil.rmtree(results / request.run)


def submitted(request: Request, results: Path) -> None:
    """Make a run as a job, and remove its folder."""
    job = submission.submit(connect(None), request, results, None, lambda line: None)
    while not (job := submission.find(connect(None), job.id)).ended:
        time.sleep(0.5)
    if job.status != submission.SUCCEEDED:
        raise RuntimeError(submission.logs(connect(None), job))
    shutil.rmtree(results / request.run)


def look(cluster: Cluster) -> dict[str, float]:
    """Measure the cluster, once what ends by itself has had the time to."""
    deadline = time.monotonic() + SETTLE_S
    while workers(cluster) and time.monotonic() < deadline:
        time.sleep(0.5)
    memory = dict.fromkeys(MEMORY, 0.0)
    found = processes.members(cluster)
    for pid in found:
        memory[kind(pid)] += resident(pid)
    memory["driver"] = resident(os.getpid())
    logs, others = [], []
    for place in (cluster.scratch, Path(tempfile.gettempdir())):
        for file in filter(Path.is_file, place.rglob("*")):
            (logs if "logs" in file.parts else others).append(file)
    return {
        **memory,
        "processes": len(found),
        "workers": len(workers(cluster)),
        "placement groups": living("placement_groups", "REMOVED"),
        "actors": living("actors", "DEAD"),
        "files": len(others),
        "files MiB": sum(map(size, others)) / MIB,
        "log files": len(logs),
        "log MiB": sum(map(size, logs)) / MIB,
        "open files": len(list(Path("/proc/self/fd").iterdir())),
    }


def workers(cluster: Cluster) -> list[int]:
    """Processes that work for a run."""
    titles = {pid: title(pid) for pid in processes.members(cluster)}
    return [pid for pid, name in titles.items() if name.startswith("ray::") and "Agent" not in name]


def kind(pid: int) -> str:
    """Which row of the table a process of the cluster belongs to."""
    program = Path(title(pid).split("\0")[0]).name
    return {"gcs_server": "head", "raylet": "raylets"}.get(program, "services")


def title(pid: int) -> str:
    """Command line of a process, or the title it has given itself."""
    try:
        return Path(f"/proc/{pid}/cmdline").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""


def resident(pid: int) -> float:
    """Resident memory of a process in MiB, without what it shares with others on purpose."""
    try:
        lines = Path(f"/proc/{pid}/status").read_text(encoding="ascii").splitlines()
    except OSError:
        return 0.0
    sizes = {line.split(":")[0]: int(line.split()[1]) for line in lines if line.endswith("kB")}
    return (sizes.get("VmRSS", 0) - sizes.get("RssShmem", 0)) / 1024


def size(file: Path) -> int:
    """Bytes of a file that may have gone."""
    try:
        return file.stat().st_size
    except OSError:
        return 0


def living(what: str, ended: str) -> int:
    """Count placement groups or actors that have not ended."""
    answer = connect(None).get(f"/api/v0/{what}?limit=10000")
    return sum(row["state"] != ended for row in answer["data"]["result"]["result"])


def show(samples: Sequence[dict[str, float]], minutes: float) -> None:
    """Print the table."""
    quarter = max(1, len(samples) // 4)
    later = samples[len(samples) // 2 :]
    runs = samples[-1]["run"] - samples[0]["run"] + 1
    print(f"{runs:.0f} runs in {minutes:g} minutes, medians of {quarter} samples each")
    print("| | at the start | at the end | a run, later half | |\n|---|---|---|---|---|")
    for name in samples[0]:
        if name in ("run", "seconds"):
            continue
        first, before, last = (
            float(np.median([sample[name] for sample in part]))
            for part in (samples[:quarter], samples[-2 * quarter : -quarter], samples[-quarter:])
        )
        rate, rises = trend([s["run"] for s in later], [s[name] for s in later])
        is_noisy = name in MEMORY or name.endswith("MiB") or name == "log files"
        grows = rises if is_noisy else last > before
        label = f"memory of the {name}, MiB" if name in MEMORY else name
        verdict = "growing" if grows else "flat"
        print(f"| {label} | {first:.1f} | {last:.1f} | {rate:+.2f} | {verdict} |")


def trend(runs: Sequence[float], values: Sequence[float]) -> tuple[float, bool]:
    """Give the rate at which values rise, and whether they do beyond chance.

    Returns:
        The median of the slopes between any two, and whether the rise is significant at 5 %, one
        sided, by the normal approximation of the Mann-Kendall test.
    """
    first, second = np.triu_indices(len(runs), 1)
    if not len(first):
        return 0.0, False
    rises = np.diff(np.stack([np.asarray(values)[first], np.asarray(values)[second]]), axis=0)[0]
    rate = float(np.median(rises / (np.asarray(runs)[second] - np.asarray(runs)[first])))
    count = len(runs)
    deviation = np.sqrt(count * (count - 1) * (2 * count + 5) / 18)
    return rate, bool((np.sign(rises).sum() - 1) / deviation > ONE_SIDED_5_PERCENT)


if __name__ == "__main__":
    main()
