"""Seconds an epoch of SAC and the exploration methods on it: table 2 of the SMM paper.

    python tests/benchmarks/smm_table2.py

Networks, batch and update-to-data ratio of the paper (300-300, 128, one gradient step an
environment step); an epoch is 1,000 steps of training on ``expedition/ManipulationFetch-v0`` and,
as in the paper, 1,050 steps of evaluation. All methods run in this process in turn, several
rounds; overheads are taken within a round, so that a slow moment of the machine hits all.
"""

import argparse
import time
from typing import Any

import numpy as np
import ray

from expedition.algorithms import registry

ENV = "expedition/ManipulationFetch-v0"
FULL = {"density": "vae_code", "density_lr": 1e-2}
METHODS: dict[str, tuple[str, dict[str, Any], str]] = {
    "SAC": ("sac", {}, "0"),
    "ICM": ("icm", {}, "+27"),
    "Count": ("count", {"state_indices": [3, 4, 5], "count_form": "inverse_root"}, "+41"),
    "SMM": ("smm", {"num_skills": 1}, "+44"),
    "SMM (1 sample)": ("smm", {"num_skills": 1, "density_samples": 1}, "+44"),
    "SM4 (n=4)": ("smm", {"num_skills": 4}, "+44"),
    "SMM (vae_code)": ("smm", {"num_skills": 1, **FULL}, "+44"),
    "Pseudocounts": ("pseudocount", FULL, "+89"),
}
SAC_OF_THE_PAPER = {
    "variant": "v1",
    "twin_q": False,
    "alpha": 1.0,
    "tau": 0.001,
    "hidden_sizes": (300, 300),
    "policy_activation": "tanh",
    "policy_regulariser": 1e-3,
    "train_batch_size": 128,
    "warmup_actions": "policy",
    "time_limit_is_terminal": True,
}
EVALUATION_EPISODES = 21  # of 50 steps


def build(name: str, options: argparse.Namespace) -> Any:
    """The method, warmed up."""
    method, settings, _ = METHODS[name]
    if method in ("smm", "pseudocount"):
        settings = settings | _ranges(options.env)
    config = registry.config_class(method)().environment(options.env).debugging(seed=0)
    config = config.training(
        **SAC_OF_THE_PAPER | settings,
        num_historical_policies=0,
        warmup_steps=200,
        iteration_steps=options.steps,
        torch_threads=options.threads,
    )
    config.evaluation(evaluation_interval=10**9, evaluation_duration=EVALUATION_EPISODES)
    algo = config.build_algo()
    algo.train()
    return algo


def _ranges(env: str) -> dict[str, Any]:
    """All 25 coordinates, with ranges wide enough for every one of them."""
    if not env.startswith("expedition/Manipulation"):
        return {}
    low, high = [-1.0] * 25, [1.0] * 25
    low[:6], high[:6] = [1.0, 0.3, 0.3] * 2, [1.7, 1.2, 1.0] * 2
    low[11:14], high[11:14] = [-3.2] * 3, [3.2] * 3
    return {"state_low": low, "state_high": high}


def epoch(algo: Any, options: argparse.Namespace) -> float:
    """Seconds of one epoch, per 1,000 training steps."""
    start = time.perf_counter()
    algo.train()
    if options.evaluate:
        algo.evaluate()
    return (time.perf_counter() - start) * 1000 / options.steps


def main() -> None:
    """Time every method in turn and print seconds and overheads."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--env", default=ENV)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--steps", type=int, default=1000, help="training steps of an epoch")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--no-evaluation", dest="evaluate", action="store_false")
    options = parser.parse_args()
    ray.init(num_cpus=2, include_dashboard=False, log_to_driver=False, logging_level="ERROR")
    algos = {name: build(name, options) for name in METHODS}
    seconds = np.array(
        [[epoch(algo, options) for algo in algos.values()] for _ in range(options.rounds)]
    )
    overheads = 100 * (seconds / seconds[:, :1] - 1)
    print(f"{options.env}, {options.threads} threads, {options.rounds} rounds, medians")
    print(f"{'method':<16}{'s / epoch':>10}{'overhead %':>12}{'quartiles':>16}{'paper':>8}")
    for name, time_s, over in zip(METHODS, np.median(seconds, 0), overheads.T, strict=True):
        low, middle, high = np.percentile(over, [25, 50, 75])
        quartiles = f"{low:.0f} to {high:.0f}"
        print(f"{name:<16}{time_s:>10.2f}{middle:>12.1f}{quartiles:>16}{METHODS[name][2]:>8}")


if __name__ == "__main__":
    main()
