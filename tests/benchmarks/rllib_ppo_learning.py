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
from ray.rllib.algorithms.ppo import PPOConfig
from ray.rllib.connectors.env_to_module import MeanStdFilter
from ray.rllib.core.rl_module.default_model_config import DefaultModelConfig
from ray.rllib.utils.metrics import (
    ENV_RUNNER_RESULTS,
    EPISODE_RETURN_MEAN,
    NUM_ENV_STEPS_SAMPLED_LIFETIME,
)

EVERY = 10  # iterations


def config_of(options: argparse.Namespace) -> PPOConfig:
    """RLlib's PPO with the numbers of baselines' ppo1."""
    config = PPOConfig().environment(options.env).debugging(seed=options.seed)
    config.training(
        lr=[[0, 3e-4], [options.steps, 0.0]],
        gamma=0.99,
        lambda_=0.95,
        train_batch_size_per_learner=2048,
        minibatch_size=256,
        num_epochs=10,
        clip_param=0.2,
        use_kl_loss=False,
        vf_clip_param=float("inf"),
    ).env_runners(
        num_env_runners=0,
        num_envs_per_env_runner=8,
        env_to_module_connector=lambda env, spaces, device: MeanStdFilter(clip_by_value=5.0),
    )
    model = DefaultModelConfig(fcnet_hiddens=[64, 64], free_log_std=True, vf_share_layers=False)
    return config.rl_module(model_config=model)


def main() -> None:
    """Train once and print the curve."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--env", default="Hopper-v5")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--steps", type=int, default=300_000)
    options = parser.parse_args()
    torch.set_num_threads(1)
    ray.init(num_cpus=2, include_dashboard=False, log_to_driver=False, logging_level="ERROR")
    algo = config_of(options).build_algo()
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
