"""Steps per second of the manipulation environments and the cost of their coverage tracker.

    python tests/benchmarks/manipulation_speed.py [--envs 64] [--rounds 5]

Uniform actions. Rates are per second of processor time of the one thread, medians over the rounds.
The planar environment is stepped natively and through Gymnasium's ``SyncVectorEnv``; the Fetch
environment alone. The tracker is shown 1000 steps whose block moves all the time, its worst case.
"""

from __future__ import annotations

import argparse
import os
import time
from collections.abc import Callable

os.environ.setdefault("OMP_NUM_THREADS", "1")

import gymnasium as gym
import numpy as np
from gymnasium.vector import AutoresetMode

import expedition.envs  # noqa: F401

PLANAR, FETCH = "expedition/ManipulationPlanar-v0", "expedition/ManipulationFetch-v0"
NATIVE_STEPS = 2_000
SYNC_STEPS = 100
FETCH_STEPS = 1_000
TRACKED_STEPS = 1_000


def seconds(work: Callable[[], object], rounds: int) -> float:
    """Median processor time of some work."""
    spent = []
    for _ in range(rounds):
        start = time.process_time()
        work()
        spent.append(time.process_time() - start)
    return float(np.median(spent))


def planar_rates(envs: int, rounds: int) -> tuple[float, float]:
    """Environment steps per second, native and of ``SyncVectorEnv``."""
    native = gym.make_vec(PLANAR, envs)
    sync = gym.make_vec(
        PLANAR,
        envs,
        vectorization_mode="sync",
        vector_kwargs={"autoreset_mode": AutoresetMode.SAME_STEP},
    )
    rng = np.random.default_rng(0)
    actions = rng.uniform(-1.0, 1.0, (NATIVE_STEPS, envs, 4)).astype(np.float32)
    native.reset(seed=0)
    sync.reset(seed=0)
    native_s = seconds(lambda: [native.step(action) for action in actions], rounds)
    sync_s = seconds(lambda: [sync.step(action) for action in actions[:SYNC_STEPS]], rounds)
    return NATIVE_STEPS * envs / native_s, SYNC_STEPS * envs / sync_s


def fetch_rate(rounds: int) -> float:
    """Environment steps per second, resets included."""
    env = gym.make(FETCH, disable_env_checker=True)
    actions = np.random.default_rng(0).uniform(-1.0, 1.0, (FETCH_STEPS, 4)).astype(np.float32)

    def run() -> None:
        env.reset()
        for action in actions:
            _, _, terminated, truncated, _ = env.step(action)
            if terminated or truncated:
                env.reset()

    return FETCH_STEPS / seconds(run, rounds)


def tracker_costs(rounds: int) -> tuple[float, float]:
    """Microseconds a tracked step, and milliseconds a reading of the metrics."""
    tracker = gym.make(PLANAR).unwrapped.coverage_tracker()
    rng = np.random.default_rng(0)
    states = rng.uniform(0.4, 1.4, (TRACKED_STEPS, 1, 10))
    ends = np.arange(TRACKED_STEPS)[:, None] % 50 == 49
    for _ in range(6):  # a full window
        tracker.update(states, ends)
    update = seconds(lambda: tracker.update(states, ends), rounds)
    return 1e6 * update / TRACKED_STEPS, 1e3 * seconds(tracker.metrics, rounds)


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--envs", type=int, default=64)
    parser.add_argument("--rounds", type=int, default=5)
    options = parser.parse_args()
    native, sync = planar_rates(options.envs, options.rounds)
    update, reading = tracker_costs(options.rounds)
    print(f"planar, {options.envs} copies, native  {native:10,.0f} steps/s")
    print(f"planar, SyncVectorEnv      {sync:10,.0f} steps/s (ratio {native / sync:.0f})")
    print(f"Fetch arm                  {fetch_rate(options.rounds):10,.0f} steps/s")
    print(f"tracker                    {update:10.1f} us a step, {reading:.1f} ms a reading")


if __name__ == "__main__":
    main()
