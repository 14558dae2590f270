"""What the head of a cluster, and a process that connects again and again, keep of what has ended.

    python tests/benchmarks/head_memory.py [--drivers 40] [--actors 3] [--calls 100] [--unbounded]

One local cluster of a node. Drivers come one after the other, all from this process: each
connects, has some calls made by some actors, and leaves; nothing of the platform is in it. Every
fifth time it prints the resident memory of the head, the raylet and this process, and its threads.
With ``--unbounded`` the head keeps what Ray lets it keep by default.
"""

from __future__ import annotations

import argparse
import os
import tempfile
import time
from pathlib import Path

from expedition.cluster import loopback

# Ray reads these when it is imported.
os.environ.update({loopback.FLAG: "0", "RAY_AUTH_MODE": "token", "OMP_NUM_THREADS": "1"})

import ray
from soak import kind, resident

from expedition.cluster import local, processes
from expedition.cluster.state import HOME_VARIABLE, Cluster, plan_nodes

EVERY = 5
SETTLE_S = 2.0


class Echo:
    """Gives back what it gets."""

    def give(self, value: int) -> int:
        """Give it back."""
        return value


def main() -> None:
    """Make the drivers and print what is kept."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--drivers", type=int, default=40)
    parser.add_argument("--actors", type=int, default=3)
    parser.add_argument("--calls", type=int, default=100, help="of each actor")
    parser.add_argument("--unbounded", action="store_true")
    options = parser.parse_args()
    if options.unbounded:
        os.environ.update({name: "100000" for name in local.BOUNDS if "_gcs" in name})
    with tempfile.TemporaryDirectory(prefix="head-") as folder:
        os.environ[HOME_VARIABLE] = folder
        cluster = local.up(plan_nodes(1, [4]), object_store_mib=100, dashboard_port=None)
        os.environ.update(local.environment(cluster))
        try:
            print("| drivers | head, MiB | raylet, MiB | this process, MiB | its threads |")
            print("|---|---|---|---|---|")
            for made in range(1, options.drivers + 1):
                drive(cluster, options.actors, options.calls)
                if made % EVERY == 0:
                    show(cluster, made)
        finally:
            local.down()


def drive(cluster: Cluster, actors: int, calls: int) -> None:
    """Be a driver."""
    ray.init(address=cluster.gcs, log_to_driver=False, logging_level="ERROR")
    made = [ray.remote(Echo).options(num_cpus=0).remote() for _ in range(actors)]
    ray.get([actor.give.remote(call) for call in range(calls) for actor in made])
    ray.shutdown()


def show(cluster: Cluster, made: int) -> None:
    """Print a row, once what ends by itself has had the time to."""
    time.sleep(SETTLE_S)
    memory = dict.fromkeys(("head", "raylets", "services"), 0.0)
    for pid in processes.members(cluster):
        memory[kind(pid)] += resident(pid)
    threads = len(list(Path("/proc/self/task").iterdir()))
    mine = resident(os.getpid())
    row = f"{memory['head']:.1f} | {memory['raylets']:.1f} | {mine:.1f} | {threads}"
    print(f"| {made} | {row} |", flush=True)


if __name__ == "__main__":
    main()
