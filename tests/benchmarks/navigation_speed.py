"""Steps per second of the navigation environment, native against Gymnasium's ``SyncVectorEnv``.

    python tests/benchmarks/navigation_speed.py [--envs 64] [--halls 3] [--rounds 5]

The two forms take turns, with the same actions: uniform ones, redrawn every fifth step so that
agents gather speed, enter halls and hit walls. Rates are per second of processor time of the one
thread, which other processes on the machine disturb less than the clock on the wall; the rate by
the wall clock is printed as well. Values are medians over the rounds.
"""

from __future__ import annotations

import argparse
import os
import time

os.environ.setdefault("OMP_NUM_THREADS", "1")

import gymnasium as gym
import numpy as np
from gymnasium.vector import AutoresetMode, VectorEnv
from numpy.typing import NDArray

import expedition.envs  # noqa: F401
from expedition.envs.navigation.geometry import AGENT_RADIUS

ENV_ID = "expedition/Navigation-v0"
NATIVE_STEPS = 3_000
SYNC_STEPS = 200
HOLD = 5  # steps that an action is held


def draw_actions(steps: int, envs: int) -> NDArray[np.float32]:
    """Actions, shape (steps, envs, 2)."""
    rng = np.random.default_rng(0)
    drawn = rng.uniform(-1.0, 1.0, (-(-steps // HOLD), envs, 2)).astype(np.float32)
    return drawn.repeat(HOLD, axis=0)[:steps]


def steps_per_second(env: VectorEnv, actions: NDArray[np.float32]) -> NDArray[np.float64]:
    """Environment steps per second of processor time and per second of wall time."""
    env.reset(seed=0)
    start = np.array([time.process_time(), time.perf_counter()])
    for action in actions:
        env.step(action)
    seconds = np.array([time.process_time(), time.perf_counter()]) - start
    return actions.shape[0] * env.num_envs / seconds


def contact_share(env: VectorEnv, actions: NDArray[np.float32]) -> float:
    """Share of states within a tenth of a unit of touching a wall."""
    env.reset(seed=0)
    geometry = env.unwrapped.geometry
    near = [geometry.clearance(env.step(a)[0]) < AGENT_RADIUS + 0.1 for a in actions[:1000]]
    return float(np.mean(near))


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--envs", type=int, default=64)
    parser.add_argument("--halls", type=int, default=3)
    parser.add_argument("--rounds", type=int, default=5)
    options = parser.parse_args()
    native = gym.make_vec(ENV_ID, options.envs, halls=options.halls)
    sync = gym.make_vec(
        ENV_ID,
        options.envs,
        vectorization_mode="sync",
        vector_kwargs={"autoreset_mode": AutoresetMode.SAME_STEP},
        halls=options.halls,
    )
    actions = draw_actions(NATIVE_STEPS, options.envs)
    rates = np.array(
        [
            (steps_per_second(native, actions), steps_per_second(sync, actions[:SYNC_STEPS]))
            for _ in range(options.rounds)
        ]
    )
    (native_rate, native_wall), (sync_rate, sync_wall) = np.median(rates, axis=0)
    ratio = np.median(rates[:, 0, 0] / rates[:, 1, 0])
    print(f"{options.envs} environments, {options.halls} halls, {options.rounds} rounds")
    print(f"agents within 0.1 of touching a wall: {contact_share(native, actions):.0%}")
    print(f"native         {native_rate:10,.0f} steps/s ({native_wall:,.0f} by the wall clock)")
    print(f"SyncVectorEnv  {sync_rate:10,.0f} steps/s ({sync_wall:,.0f} by the wall clock)")
    print(f"ratio          {ratio:10.1f}")


if __name__ == "__main__":
    main()
