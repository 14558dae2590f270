"""Env steps a second of SM4's split layout: two components on two actors beside one on one.

    python tests/benchmarks/sm4_split.py

``expedition/Navigation-v0``, networks, batch and update-to-data ratio of the paper (300-300, 128,
one gradient step an environment step of a component). Both sides run in turn, several rounds, and
the ratio is taken within a round. Two idle cores are needed for the number to mean anything.
"""

import argparse
import time

import numpy as np
import ray

from expedition.algorithms.smm import SMMConfig
from expedition.algorithms.smm.split import SplitSMM


def build(components: int, steps: int) -> SplitSMM:
    """A mixture with every component on an actor of its own, warmed up."""
    config = SMMConfig().environment("expedition/Navigation-v0").debugging(seed=0)
    config = config.training(
        layout="split",
        num_skills=components,
        component_actors=components,
        component_cpus=0.5,
        warmup_steps=200,
        iteration_steps=steps * components,
        num_historical_policies=0,
        torch_threads=1,
    )
    algo = config.build_algo()
    algo.train()
    return algo


def rate(algo: SplitSMM) -> float:
    """Env steps a second of one round, over all components."""
    start, before = time.perf_counter(), algo.env_steps
    algo.train()
    return (algo.env_steps - before) / (time.perf_counter() - start)


def main() -> None:
    """Time one and two components in turn and print rates and their ratio."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--steps", type=int, default=500, help="of each component in a round")
    options = parser.parse_args()
    ray.init(num_cpus=2, include_dashboard=False, log_to_driver=False, logging_level="ERROR")
    algos = [build(components, options.steps) for components in (1, 2)]
    rates = np.array([[rate(algo) for algo in algos] for _ in range(options.rounds)])
    one, two = np.median(rates, 0)
    low, middle, high = np.percentile(rates[:, 1] / rates[:, 0], [25, 50, 75])
    print(f"one component   {one:8.1f} env steps/s")
    print(f"two components  {two:8.1f} env steps/s")
    print(f"ratio           {middle:8.2f} ({low:.2f} to {high:.2f})")


if __name__ == "__main__":
    main()
