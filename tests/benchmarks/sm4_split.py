"""Env steps a second of SM4's split layout: two components on two actors, beside one on one.

    python tests/benchmarks/sm4_split.py

``expedition/Navigation-v0``, networks, batch and update-to-data ratio of the paper (300-300, 128,
one gradient step an environment step of a component). Both sides run in turn, several rounds, and
the ratio is taken within a round. Two idle cores are needed for the number to mean anything.

One component has no discriminator, so that ``two components`` also make steps that ``one
component`` does not. ``two in one process`` make the same steps as ``two components``, one after
another: what the actors bring is the ratio of these. The last row, two runs of one component that
know nothing of each other, is what the machine allows.
"""

import argparse
import time
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import ray

from expedition.algorithms.smm import SMMConfig
from expedition.algorithms.smm.split import SplitSMM


def build(components: int, steps: int, actors: int) -> SplitSMM:
    """A mixture whose components live on so many actors (0: in this process), warmed up."""
    config = SMMConfig().environment("expedition/Navigation-v0").debugging(seed=0)
    config = config.training(
        layout="split",
        num_skills=components,
        component_actors=actors,
        component_cpus=0.5,
        warmup_steps=200,
        iteration_steps=steps * components,
        num_historical_policies=0,
        torch_threads=1,
    )
    algo = config.build_algo()
    algo.train()
    return algo


def rate(algos: list[SplitSMM]) -> float:
    """Env steps a second of one round of runs side by side, over all components."""
    start, before = time.perf_counter(), sum(algo.env_steps for algo in algos)
    with ThreadPoolExecutor(len(algos)) as threads:
        list(threads.map(lambda algo: algo.train(), algos))
    return (sum(algo.env_steps for algo in algos) - before) / (time.perf_counter() - start)


def main() -> None:
    """Time one and two components in turn and print rates and their ratio."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--steps", type=int, default=500, help="of each component in a round")
    options = parser.parse_args()
    ray.init(num_cpus=4, include_dashboard=False, log_to_driver=False, logging_level="ERROR")
    sides = {
        "one component": [build(1, options.steps, actors=1)],
        "two components": [build(2, options.steps, actors=2)],
        "two in one process": [build(2, options.steps, actors=0)],
        "two separate runs": [build(1, options.steps, actors=1) for _run in range(2)],
    }
    rates = np.array([[rate(side) for side in sides.values()] for _ in range(options.rounds)])
    ratios = rates / rates[:, :1]
    for name, speed, of_rounds in zip(sides, np.median(rates, 0), ratios.T, strict=True):
        low, middle, high = np.percentile(of_rounds, [25, 50, 75])
        print(f"{name:<20}{speed:8.1f} env steps/s{middle:8.2f} ({low:.2f} to {high:.2f})")
    low, middle, high = np.percentile(rates[:, 1] / rates[:, 2], [25, 50, 75])
    print(f"two components over the same in one process: {middle:.2f} ({low:.2f} to {high:.2f})")


if __name__ == "__main__":
    main()
