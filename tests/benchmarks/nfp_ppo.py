"""Environment steps a second of NFP beside RLlib's PPO with a Gaussian policy.

    python tests/benchmarks/nfp_ppo.py
    python tests/benchmarks/nfp_ppo.py --env Hopper-v5 --minibatch 256
    python tests/benchmarks/nfp_ppo.py --sides rllib,nfp

Batches of 2,048 steps of 16 copies, 10 epochs, hidden layers 64-64, standardised observations, one
thread, one process. Sides: ``rllib``, RLlib's PPO as it comes with a free standard deviation;
``ppo``, the same method with a Gaussian here; ``nfp`` with 4 couplings and ``nfp8`` with 8;
``nfp_entropy``, 4 couplings with the 10-draw entropy. Every side runs in a fresh process in turn;
the first iterations are not timed. The seconds of each side relative to RLlib's and to ``ppo`` are
taken within a round, so that a slow moment of the machine hits all. ``--clock cpu`` counts the
process's own seconds, for a machine that others use.
"""

import argparse
import json
import subprocess
import sys
import time
from typing import Any

import numpy as np
from rllib_ppo import BATCH, rllib_ppo

COPIES = 16
WARMUP = 2  # iterations
SIDES = ("rllib", "ppo", "nfp", "nfp8", "nfp_entropy")


def rllib(options: argparse.Namespace) -> Any:
    """RLlib's own PPO at the settings of ours."""
    config = rllib_ppo(options.env, 0, lr=3e-4, minibatch=options.minibatch, copies=COPIES)
    return config.build_algo()


def ours(options: argparse.Namespace) -> Any:
    """One of our sides."""
    from expedition.algorithms import registry

    method = "ppo" if options.side == "ppo" else "nfp"
    config = registry.config_class(method)().environment(options.env).debugging(seed=0)
    config.training(
        torch_threads=1, train_batch_size_per_learner=BATCH, minibatch_size=options.minibatch
    )
    if options.side == "nfp8":
        config.training(n_couplings=8)
    if options.side == "nfp_entropy":
        config.training(entropy_coeff=0.01)
    return config.env_runners(num_envs_per_env_runner=COPIES).build_algo()


def measure_here(options: argparse.Namespace) -> float:
    """Seconds an iteration of one side, in this process."""
    import ray
    import torch

    torch.set_num_threads(1)
    ray.init(num_cpus=2, include_dashboard=False, log_to_driver=False, logging_level="ERROR")
    algo = rllib(options) if options.side == "rllib" else ours(options)
    for _ in range(WARMUP):
        algo.train()
    clock = time.process_time if options.clock == "cpu" else time.perf_counter
    start = clock()
    for _ in range(options.iterations):
        algo.train()
    return (clock() - start) / options.iterations


def measure(side: str, options: argparse.Namespace) -> float:
    """The same in a fresh process."""
    command = [sys.executable, __file__, "--side", side, "--env", options.env]
    command += ["--iterations", str(options.iterations), "--minibatch", str(options.minibatch)]
    command += ["--clock", options.clock]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    lines = [line for line in done.stdout.splitlines() if line.startswith("{")]
    if not lines:
        raise RuntimeError(f"{side}: {done.stderr}")
    return json.loads(lines[-1])["seconds"]


def report(seconds: dict[str, list[float]], options: argparse.Namespace) -> None:
    """Print medians and ratios."""
    print(
        f"\n{options.env}, minibatch {options.minibatch}, {options.rounds} rounds, {options.clock}"
    )
    print(f"{'side':<13}{'s/iteration':>12}{'env steps/s':>13}{'/ rllib':>18}{'/ ppo':>18}")
    for side, values in seconds.items():
        cells = []
        for other in ("rllib", "ppo"):
            if other not in seconds:
                cells.append("")
                continue
            low, middle, high = np.percentile(
                np.array(values) / np.array(seconds[other]), [25, 50, 75]
            )
            cells.append(f"{middle:.2f} ({low:.2f}-{high:.2f})")
        median = float(np.median(values))
        print(f"{side:<13}{median:>12.2f}{BATCH / median:>13.0f}{cells[0]:>18}{cells[1]:>18}")


def main() -> None:
    """Run all sides in turn, or one side as a child process."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--env", default="HalfCheetah-v5")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--iterations", type=int, default=5, help="timed iterations of a side")
    parser.add_argument("--minibatch", type=int, default=64)
    parser.add_argument("--clock", choices=("wall", "cpu"), default="wall")
    parser.add_argument("--sides", default=",".join(SIDES), help="which, in this order")
    parser.add_argument("--side", choices=SIDES, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.side:
        print(json.dumps({"seconds": measure_here(options)}))
        return
    sides = options.sides.split(",")
    if wrong := set(sides) - set(SIDES):
        parser.error(f"--sides {', '.join(wrong)}: must be of {', '.join(SIDES)}")
    seconds: dict[str, list[float]] = {side: [] for side in sides}
    for _ in range(options.rounds):
        for side in sides:
            seconds[side].append(measure(side, options))
            print(f"{side}: {seconds[side][-1]:.2f} s", flush=True)
    report(seconds, options)


if __name__ == "__main__":
    main()
