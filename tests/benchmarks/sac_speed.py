"""Environment steps a second of SAC: ours, Stable-Baselines3, RLlib's own, and SBX (JAX).

    python tests/benchmarks/sac_speed.py                      # those that are installed
    python tests/benchmarks/sac_speed.py --peer-python PATH   # peers in another environment

HalfCheetah-v5, one environment, batch 256, two hidden layers of 256, one gradient step an
environment step, two threads. Every side runs in a fresh process in turn, five rounds; warm-up
and compilation are not timed. The table gives the median, the quartiles and our ratio to each
peer, taken within a round so that a slow moment of the machine hits both sides.
"""

import argparse
import json
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np

ENV = "HalfCheetah-v5"
WARMUP = 600
SIDES = ("expedition", "sb3", "rllib", "sbx")


def expedition(steps: int, threads: int) -> float:
    """Ours."""
    import ray

    from expedition.algorithms.sac import SACConfig

    ray.init(num_cpus=2, include_dashboard=False, log_to_driver=False, logging_level="ERROR")
    config = SACConfig().environment(ENV).debugging(seed=0)
    algo = config.training(
        warmup_steps=100, iteration_steps=WARMUP, torch_threads=threads
    ).build_algo()
    algo.train()
    start, before = time.perf_counter(), algo.env_steps
    while algo.env_steps - before < steps:
        algo.train()
    return (algo.env_steps - before) / (time.perf_counter() - start)


def sb3(steps: int, threads: int) -> float:
    """Stable-Baselines3 with its defaults, which are the benchmark's settings."""
    import torch
    from stable_baselines3 import SAC

    torch.set_num_threads(threads)
    model = SAC("MlpPolicy", ENV, learning_starts=100, seed=0, device="cpu")
    return _time_stable_baselines(model, steps)


def sbx(steps: int, threads: int) -> float:
    """Stable-Baselines Jax; its update is compiled during the warm-up."""
    del threads  # XLA takes the machine's cores
    from sbx import SAC

    model = SAC("MlpPolicy", ENV, learning_starts=100, seed=0)
    return _time_stable_baselines(model, steps)


def rllib(steps: int, threads: int) -> float:
    """RLlib's SAC on its new stack at the same settings, with uniform replay."""
    import ray
    import torch
    from ray.rllib.algorithms.sac import SACConfig

    torch.set_num_threads(threads)
    ray.init(num_cpus=2, include_dashboard=False, log_to_driver=False, logging_level="ERROR")
    config = SACConfig().environment(ENV).debugging(seed=0)
    config.training(
        train_batch_size_per_learner=256,
        num_steps_sampled_before_learning_starts=100,
        replay_buffer_config={"type": "EpisodeReplayBuffer", "capacity": 1_000_000},
        actor_lr=3e-4,
        critic_lr=3e-4,
        alpha_lr=3e-4,
        tau=0.005,
        training_intensity=None,
    ).env_runners(rollout_fragment_length=1, num_env_runners=0)
    config.reporting(min_sample_timesteps_per_iteration=100, min_time_s_per_iteration=0)
    algo = config.build_algo()
    algo.train()
    start, before = time.perf_counter(), _rllib_steps(algo.train())
    while (now := _rllib_steps(algo.train())) - before < steps:
        pass
    return (now - before) / (time.perf_counter() - start)


def _rllib_steps(result: dict) -> int:
    return int(result["num_env_steps_sampled_lifetime"])


def _time_stable_baselines(model: object, steps: int) -> float:
    model.learn(WARMUP)
    start = time.perf_counter()
    model.learn(steps, reset_num_timesteps=False)
    return steps / (time.perf_counter() - start)


def measure(side: str, python: str, options: argparse.Namespace) -> float | None:
    """Run one side in a fresh process; ``None`` if its library is not installed there."""
    steps = options.rllib_steps if side == "rllib" else options.steps
    command = [python, __file__, "--side", side, "--steps", str(steps)]
    command += ["--threads", str(options.threads)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    lines = [line for line in done.stdout.splitlines() if line.startswith("{")]
    if not lines:
        reason = (done.stderr.strip().splitlines() or ["no output"])[-1]
        print(f"{side}: not measured ({reason})", flush=True)
        return None
    return json.loads(lines[-1])["steps_per_second"]


def report(rates: dict[str, list[float]], options: argparse.Namespace) -> None:
    """Print medians, quartiles and ratios."""
    print(f"\nSAC on {ENV}: env steps/s, {options.rounds} rounds, {options.threads} threads")
    print(f"{'side':<12}{'median':>8}{'quartiles':>16}{'ours / side':>14}{'quartiles':>14}")
    ours = np.array(rates["expedition"])
    for side, values in rates.items():
        low, middle, high = np.percentile(values, [25, 50, 75])
        ratio = np.percentile(ours / np.array(values), [25, 50, 75])
        print(
            f"{side:<12}{middle:>8.1f}{f'{low:.1f} to {high:.1f}':>16}"
            f"{ratio[1]:>14.2f}{f'{ratio[0]:.2f} to {ratio[2]:.2f}':>14}"
        )


def main() -> None:
    """Run all sides in turn, or one side as a child process."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--steps", type=int, default=3000, help="timed env steps of a side")
    parser.add_argument("--rllib-steps", type=int, default=300, help="the same for RLlib's own")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--peer-python", type=Path, help="interpreter that has the peers")
    parser.add_argument("--sides", nargs="+", choices=SIDES, default=list(SIDES))
    parser.add_argument("--side", choices=SIDES, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.side:
        sides: dict[str, Callable[[int, int], float]] = {
            "expedition": expedition,
            "sb3": sb3,
            "sbx": sbx,
            "rllib": rllib,
        }
        rate = sides[options.side](options.steps, options.threads)
        print(json.dumps({"steps_per_second": rate}), flush=True)
        return
    peer = str(options.peer_python or sys.executable)
    rates: dict[str, list[float]] = {}
    for round_ in range(options.rounds):
        for side in options.sides:
            python = peer if side in ("sb3", "sbx") else sys.executable
            rate = measure(side, python, options)
            if rate is not None:
                rates.setdefault(side, []).append(rate)
                print(f"round {round_ + 1} {side}: {rate:.1f} env steps/s", flush=True)
    report(rates, options)


if __name__ == "__main__":
    main()
