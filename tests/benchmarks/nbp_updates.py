"""Updates a second of NBP beside a plain PyTorch loop and RLlib's own off-policy path.

    python tests/benchmarks/nbp_updates.py

Multi-goal, 16 copies stepped once between two updates, batch 64, networks of 64-64, entropy bonus
on, one thread, one process. Sides: ``nbp``, the method as users run it; ``loop``, the same steps
and the same update written out in plain PyTorch and NumPy without replay state, metrics or
checkpoints; ``rllib``, RLlib's SAC with networks of these sizes and one update per 16 steps, the
path a port of NBP to RLlib's own off-policy code would run on. Every side runs in a fresh process
in turn; warm-up is not timed. Ratios are taken within a round, so that a slow moment of the machine
hits all.
"""

import argparse
import json
import subprocess
import sys
import time
from collections.abc import Callable
from typing import Any

import numpy as np

ENV = "expedition/MultiGoal-v0"
COPIES, BATCH, TARGET_EVERY, CAPACITY = 16, 64, 200, 1_000_000
WARMUP = 100  # updates
PROTOTYPE = 60.0  # updates/s of a port to RLlib's SAC classes, measured on a two-core machine
SIDES = ("nbp", "loop", "rllib")


def nbp(updates: int) -> float:
    """Ours, through the algorithm."""
    import ray

    from expedition.algorithms.implicit_policy.nbp import NBPConfig

    ray.init(num_cpus=2, include_dashboard=False, log_to_driver=False, logging_level="ERROR")
    config = NBPConfig().environment(ENV).debugging(seed=0)
    config.training(
        entropy_coeff=1.0,
        reward_scale=0.1,
        observation_scale=5.0,
        target_every=TARGET_EVERY,
        updates_per_step=1 / COPIES,
        warmup_steps=1024,
        iteration_steps=WARMUP * COPIES,
        torch_threads=1,
    )
    algo = config.env_runners(num_envs_per_env_runner=COPIES).build_algo()
    algo.train()
    algo.train()
    start, before = time.perf_counter(), algo.updates
    while algo.updates - before < updates:
        algo.train()
    return (algo.updates - before) / (time.perf_counter() - start)


def loop(updates: int) -> float:
    """The same written out."""
    from nbp_plain_loop import PlainLoop

    plain = PlainLoop(ENV, COPIES, BATCH, CAPACITY)
    for _ in range(1024 // COPIES):
        plain.collect()
    start = 0.0
    for update in range(WARMUP + updates):
        if update == WARMUP:
            start = time.perf_counter()
        plain.collect()
        plain.update()
        if update % TARGET_EVERY == 0:
            plain.copy_targets()
    return updates / (time.perf_counter() - start)


def rllib(updates: int) -> float:
    """RLlib's SAC, one update per 16 steps."""
    import ray
    from ray.rllib.algorithms.sac import SACConfig

    import expedition.envs  # noqa: F401  registers the environment

    ray.init(num_cpus=2, include_dashboard=False, log_to_driver=False, logging_level="ERROR")
    config = SACConfig().environment(ENV).debugging(seed=0)
    config.training(
        train_batch_size_per_learner=BATCH,
        num_steps_sampled_before_learning_starts=1024,
        replay_buffer_config={"type": "EpisodeReplayBuffer", "capacity": CAPACITY},
        twin_q=False,
        tau=1.0,
        target_network_update_freq=TARGET_EVERY * COPIES,
        training_intensity=None,
    ).rl_module(model_config={"fcnet_hiddens": [64, 64], "head_fcnet_hiddens": []})
    config.env_runners(
        rollout_fragment_length=1, num_env_runners=0, num_envs_per_env_runner=COPIES
    ).reporting(min_sample_timesteps_per_iteration=50 * COPIES, min_time_s_per_iteration=0)
    algo = config.build_algo()
    for _ in range(3):
        before = _sampled(algo.train())
    start = time.perf_counter()
    while (now := _sampled(algo.train())) - before < updates * COPIES:
        pass
    return (now - before) / COPIES / (time.perf_counter() - start)


def _sampled(result: dict[str, Any]) -> int:
    return int(result["num_env_steps_sampled_lifetime"])


def measure(side: str, options: argparse.Namespace) -> float:
    """Updates a second of one side in a fresh process."""
    updates = options.rllib_updates if side == "rllib" else options.updates
    command = [sys.executable, __file__, "--side", side, "--updates", str(updates)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    lines = [line for line in done.stdout.splitlines() if line.startswith("{")]
    if not lines:
        raise RuntimeError(f"{side}: {done.stderr}")
    return json.loads(lines[-1])["updates_per_second"]


def report(rates: dict[str, list[float]], options: argparse.Namespace) -> None:
    """Print medians, and our ratios to the others and to the prototype's 60 a second."""
    print(f"\nNBP on {ENV}: updates/s, {options.rounds} rounds, 1 thread")
    print(f"{'side':<14}{'median':>8}{'nbp / side':>12}{'quartiles':>15}")
    ours = np.array(rates["nbp"])
    for side, values in (rates | {"prototype": [PROTOTYPE] * len(ours)}).items():
        low, middle, high = np.percentile(ours / np.array(values), [25, 50, 75])
        median = float(np.median(values))
        print(f"{side:<14}{median:>8.1f}{middle:>12.2f}{f'{low:.2f} to {high:.2f}':>15}")


def main() -> None:
    """Run all sides in turn, or one side as a child process."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--updates", type=int, default=2000, help="timed updates of a side")
    parser.add_argument("--rllib-updates", type=int, default=300, help="the same for RLlib's own")
    parser.add_argument("--side", choices=SIDES, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.side:
        import torch

        torch.set_num_threads(1)
        sides: dict[str, Callable[[int], float]] = {"nbp": nbp, "loop": loop, "rllib": rllib}
        print(json.dumps({"updates_per_second": sides[options.side](options.updates)}), flush=True)
        return
    rates: dict[str, list[float]] = {side: [] for side in SIDES}
    for round_ in range(options.rounds):
        for side in SIDES:
            rates[side].append(measure(side, options))
            print(f"round {round_ + 1} {side}: {rates[side][-1]:.1f} updates/s", flush=True)
    report(rates, options)


if __name__ == "__main__":
    main()
