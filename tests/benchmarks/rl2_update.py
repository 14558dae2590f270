"""Where an update of RL² spends its time, and what its written-out curvature brings.

    OMP_NUM_THREADS=1 python tests/benchmarks/rl2_update.py

The ring at the settings of figure 6's quick preset: 20 tasks of 5 trials of 4 episodes of 50 steps,
a GRU of 64 units, ten iterations of conjugate gradient on all trials, one thread. The other side
takes its curvature products from autograd, as every other method here does; that both are the same
is a test. Medians over the rounds of processor time, which others on the machine disturb less.
"""

import argparse
import os
import time
from collections.abc import Callable
from typing import Any

os.environ.setdefault("OMP_NUM_THREADS", "1")

import numpy as np
import ray
import torch

from expedition.algorithms.core.meta import PRE
from expedition.algorithms.core.rllib import local_learner
from expedition.algorithms.core.surrogate import SurrogateObjective
from expedition.algorithms.core.trust_region import trust_region_step
from expedition.algorithms.rl2 import RL2, RL2Config
from expedition.algorithms.rl2 import learner as rl2_learner
from expedition.algorithms.rl2.learner import RL2Learner
from expedition.algorithms.rl2.trials import Trials, joined_trials


def gather(algo: RL2) -> Trials:
    """Trials of newly drawn tasks."""
    tasks = algo.tasks[algo.draw_tasks()]
    per_task = {"tasks": tasks, "keys": algo.keys(PRE, len(tasks))}
    return joined_trials(algo.ask("gather", per_task, algo.test_request()))


def timed(function: Callable[..., Any], *arguments: Any) -> tuple[Any, float]:
    """The result and its seconds of processor time."""
    start = time.process_time()
    result = function(*arguments)
    return result, time.process_time() - start


def by_autograd(learner: RL2Learner, batch: Trials) -> SurrogateObjective:
    """The objective with curvature products by autograd."""
    written_out = rl2_learner.RecurrentFisher
    rl2_learner.RecurrentFisher = lambda *_: None
    try:
        return learner.objective(batch)
    finally:
        rl2_learner.RecurrentFisher = written_out


def measure(algo: RL2) -> list[float]:
    """Seconds of sampling, and of objective, product, evaluation and step, both ways."""
    learner = local_learner(algo.learner_group)
    batch, sampling = timed(gather, algo)
    row = [sampling]
    for make in (learner.objective, lambda trials: by_autograd(learner, trials)):
        objective, seconds = timed(make, batch)
        row.append(seconds)
        row.append(timed(objective.fisher_product, objective.gradient)[1])
        row.append(timed(objective.evaluate, objective.start)[1])
        region = learner.config.trust_region
        row.append(timed(trust_region_step, objective, objective.start, region)[1])
    return row


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=7)
    options = parser.parse_args()
    torch.set_num_threads(1)
    ray.init(num_cpus=2, include_dashboard=False, log_to_driver=False, logging_level="ERROR")
    config = RL2Config().environment("expedition/Ring-v0").debugging(seed=0)
    config.training(trials_per_task=5, torch_threads=1)
    algo = config.build_algo()
    steps = gather(algo).mask.sum()
    sampling, *rest = np.median([measure(algo) for _ in range(options.rounds)], axis=0)
    print(f"sampling {steps:,} steps: {sampling:.3f} s")
    print(("{:>14}" * 7).format("curvature", "objective s", "product s", "evaluate s", "step s",
                                "update s", "env steps/s"))  # fmt: skip
    for name, parts in (("written out", rest[:4]), ("autograd", rest[4:])):
        update = sampling + parts[0] + parts[3]
        values = "".join(f"{value:>14.3f}" for value in (*parts, update))
        print(f"{name:>14}{values}{steps / update:>14,.0f}")
    algo.stop()


if __name__ == "__main__":
    main()
