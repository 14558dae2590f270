"""Learning curves of RLlib's own PPO at the settings of table 1 of the implicit-policy paper.

    python tests/benchmarks/rllib_ppo_learning.py --env Hopper-v5 --seed 0

The Gaussian that NFP and the baselines of ``implicit_policy/table1`` stand beside, as RLlib ships
it: batches of 2,048 steps of 8 copies, 10 epochs of minibatches of 256, standardised observations,
a step size that falls to 0. Unlike the experiment's ``ppo1`` its clip range does not fall and it
bootstraps at the time limit. A run prints a JSON line every ten iterations, with the mean return of
the training episodes that ended last, which is ``train/return_mean`` of the experiment.
"""

import argparse
import json
import math
import time

import ray
import torch
from ray.rllib.utils.metrics import (
    ENV_RUNNER_RESULTS,
    EPISODE_RETURN_MEAN,
    NUM_ENV_STEPS_SAMPLED_LIFETIME,
)
from rllib_ppo import rllib_ppo

EVERY = 10  # iterations


def main() -> None:
    """Train once and print the curve."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--env", default="Hopper-v5")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--steps", type=int, default=300_000)
    options = parser.parse_args()
    torch.set_num_threads(1)
    ray.init(num_cpus=2, include_dashboard=False, log_to_driver=False, logging_level="ERROR")
    decay = [[0, 3e-4], [options.steps, 0.0]]
    config = rllib_ppo(options.env, options.seed, lr=decay, minibatch=256, copies=8)
    algo = config.build_algo()
    score = float("nan")
    start, iteration, env_steps = time.perf_counter(), 0, 0
    while env_steps < options.steps:
        result = algo.train()
        iteration += 1
        sampled = result[ENV_RUNNER_RESULTS]
        env_steps = int(sampled[NUM_ENV_STEPS_SAMPLED_LIFETIME])
        # Not there in an iteration in which no episode ended.
        mean = float(sampled.get(EPISODE_RETURN_MEAN, score))
        score = score if math.isnan(mean) else mean
        if iteration % EVERY == 0 or env_steps >= options.steps:
            row = {
                "env": options.env,
                "seed": options.seed,
                "env_steps": env_steps,
                "return": round(score, 1),
                "seconds": round(time.perf_counter() - start, 1),
            }
            print(json.dumps(row), flush=True)


if __name__ == "__main__":
    main()
