"""Time of an environment step in the families of tasks, against MuJoCo alone on the same model.

    python tests/benchmarks/task_sampling.py [--families wheeled pusher ant] [--envs 20 400]

Sampling is what meta-learners do: the native vector form with a task in each copy, normal random
actions that are at hand already, episodes of the family's length. MuJoCo alone is a Python loop of
``mj_step`` and ``mj_forward`` on one simulation (for the ant also ``mj_rnePostConstraint``, without
which there are no contact forces), its controls from the same distribution, reset as often. The two
take turns. Times are microseconds of processor time of the one thread, which other processes
disturb less than the clock on the wall; values are medians over the rounds.

``card`` is the time of physics alone that the project's notes on the paper give, measured on a
machine of the same kind; the bound is 1.5 times that.
"""

from __future__ import annotations

import argparse
import os
import time
from collections.abc import Callable

os.environ.setdefault("OMP_NUM_THREADS", "1")

import gymnasium as gym
import mujoco
import numpy as np
from gymnasium.vector import VectorEnv
from numpy.typing import NDArray

import expedition.envs  # noqa: F401
from expedition.envs.mujoco_world import load_model
from expedition.envs.tasks import set_tasks, tasks_of

IDS = {
    "ring": "expedition/Ring-v0",
    "points": "expedition/PointGoals-v0",
    "wheeled": "expedition/Wheeled-v0",
    "pusher": "expedition/BlockPusher-v0",
    "ant": "expedition/AntGoals-v0",
}
CARD = {"wheeled": 13.0, "pusher": 20.0, "ant": 44.0}  # microseconds
RAW_STEPS = 4_000
ALLOWED = 1.5


def sampling_time(env: VectorEnv, actions: NDArray[np.float32]) -> float:
    """Microseconds an environment step of a vector environment takes; actions (T, n, a)."""
    env.reset(seed=0)
    start = time.process_time()
    for action in actions:
        env.step(action)
    return (time.process_time() - start) / (actions.shape[0] * env.num_envs) * 1e6


def physics(family: str, horizon: int) -> Callable[[], float]:
    """A function that times MuJoCo alone, in microseconds a step."""
    env = gym.make_vec(IDS[family], 1)
    env.reset(seed=0)
    model = load_model(family)
    data = mujoco.MjData(model)
    simulations = next(v for v in vars(env.unwrapped.world).values() if hasattr(v, "positions"))
    start_positions = simulations.positions[0].copy()
    rng = np.random.default_rng(1)
    low, high = model.actuator_ctrlrange.T
    controls = np.clip(rng.standard_normal((RAW_STEPS, model.nu)), -1.0, 1.0) * (high - low) / 2.0

    def measure() -> float:
        start = time.process_time()
        for step, control in enumerate(controls):
            if step % horizon == 0:
                mujoco.mj_resetData(model, data)
                data.qpos[:] = start_positions
            data.ctrl[:] = control
            mujoco.mj_step(model, data)
            mujoco.mj_forward(model, data)
            if family == "ant":
                mujoco.mj_rnePostConstraint(model, data)
        return (time.process_time() - start) / RAW_STEPS * 1e6

    return measure


def measure_family(family: str, copies: int, rounds: int) -> None:
    """Print one row of the table."""
    env = gym.make_vec(IDS[family], copies)
    tasks = tasks_of(env, "train")
    set_tasks(env, tasks[np.arange(copies) % len(tasks)])
    horizon = env.spec.max_episode_steps
    episodes = max(1, 12_000 // (copies * horizon))
    shape = (episodes * horizon, copies, *env.single_action_space.shape)
    actions = np.random.default_rng(0).standard_normal(shape).astype(np.float32)
    raw = physics(family, horizon) if family in CARD else None
    times = np.array(
        [(sampling_time(env, actions), raw() if raw else np.nan) for _ in range(rounds)]
    )
    ours, alone = np.median(times, axis=0)
    row = f"{family:8s} {copies:5d} {ours:10.2f}"
    if raw:
        ratio = np.median(times[:, 0] / times[:, 1])
        bound = ALLOWED * CARD[family]
        verdict = "within" if ours <= bound else "ABOVE"
        row += f" {alone:8.2f} {ratio:6.2f} {CARD[family]:6.0f}   {verdict} {bound:.1f}"
    print(row, flush=True)


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--families", nargs="+", default=list(IDS), choices=list(IDS))
    parser.add_argument("--envs", nargs="+", type=int, default=[20, 400])
    parser.add_argument("--rounds", type=int, default=5)
    options = parser.parse_args()
    print("microseconds of processor time an environment step")
    print("family    envs   sampling   MuJoCo  ratio   card   bound")
    for family in options.families:
        for copies in options.envs:
            measure_family(family, copies, options.rounds)


if __name__ == "__main__":
    main()
