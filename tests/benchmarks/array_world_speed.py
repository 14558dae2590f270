"""Processor time of a step of the array worlds, native against Gymnasium's ``SyncVectorEnv``.

    python tests/benchmarks/array_world_speed.py [--envs 64] [--rounds 5]

The two forms take turns, with the same uniform actions. Times are of the one thread, per step of
one copy, and the least over the rounds, which other processes on the machine disturb least.
"""

from __future__ import annotations

import argparse
import os
import time

os.environ.setdefault("OMP_NUM_THREADS", "1")

import gymnasium as gym
import numpy as np
from gymnasium.vector import AutoresetMode, VectorEnv

import expedition.envs  # noqa: F401

NAMES = ("GaussianBandit", "MultiGoal", "BimodalReacher", "PointRun", "Imitation1D")
NATIVE_STEPS = 400
SYNC_STEPS = 60
DRAWN = 50  # batches of actions, used in turn


def microseconds(env: VectorEnv, actions: np.ndarray, steps: int) -> float:
    """Processor time of a step of one copy."""
    env.reset(seed=0)
    start = time.process_time()
    for step in range(steps):
        env.step(actions[step % DRAWN])
    return 1e6 * (time.process_time() - start) / (steps * env.num_envs)


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--envs", type=int, default=64)
    parser.add_argument("--rounds", type=int, default=5)
    options = parser.parse_args()
    print(f"{'environment':>16} {'native':>9} {'sync':>9} {'ratio':>6}")
    for name in NAMES:
        env_id = f"expedition/{name}-v0"
        same_step = {"autoreset_mode": AutoresetMode.SAME_STEP}
        native = gym.make_vec(env_id, options.envs, vectorization_mode="vector_entry_point")
        sync = gym.make_vec(
            env_id, options.envs, vectorization_mode="sync", vector_kwargs=same_step
        )
        shape = (DRAWN, *native.action_space.shape)
        actions = np.random.default_rng(0).uniform(-1.0, 1.0, shape).astype(np.float32)
        times = [
            (microseconds(native, actions, NATIVE_STEPS), microseconds(sync, actions, SYNC_STEPS))
            for _ in range(options.rounds)
        ]
        ours, theirs = np.min(times, axis=0)
        print(f"{name:>16} {ours:6.2f} us {theirs:6.1f} us {theirs / ours:6.1f}")


if __name__ == "__main__":
    main()
