"""Seconds of one MAESN meta-iteration, sampling included, and what actors bring.

    OMP_NUM_THREADS=1 python tests/benchmarks/maesn_iteration.py
    OMP_NUM_THREADS=1 python tests/benchmarks/maesn_iteration.py --env expedition/Wheeled-v0 \
        --hidden 100 --episodes 50 --iterations 5 --actors 1 2

By default the ring at 20 tasks of 20 episodes of 50 steps before and again after adaptation, two
hidden layers of 32, ten iterations of conjugate gradient, curvature on half of the episodes. The
first three iterations are a warm-up. Medians over the rest, by the wall clock and by the processor
time of the process, which others on the machine disturb less; ``sampling`` is the part before the
learner, both batches with their baselines and the inner step.

With ``--actors 1 2`` the table has a row for each number of Ray actors; what their sampling takes
is the wall time from request to answer, the transport of the batches included.
"""

import argparse
import os
import time

os.environ.setdefault("OMP_NUM_THREADS", "1")

import numpy as np
import ray
import torch

from expedition.algorithms.maesn import MAESN, MAESNConfig

WARM_UP = 3


def build(options: argparse.Namespace, actors: int) -> MAESN:
    """Make the algorithm with its tasks on so many actors."""
    config = MAESNConfig().environment(options.env).debugging(seed=0)
    config.training(
        hidden_sizes=(options.hidden, options.hidden),
        episodes_per_task=options.episodes,
        curvature_episodes=options.curvature,
        task_actors=actors,
        torch_threads=1,
    )
    return config.build_algo()


def measure(algo: MAESN, iterations: int) -> dict[str, float]:
    """Medians of an iteration's seconds, and its environment steps."""
    rows = []
    for _ in range(WARM_UP + iterations):
        steps, start = algo.env_steps, np.array([time.perf_counter(), time.process_time()])
        chosen = algo.draw_tasks()
        data = algo.gather(chosen)
        sampled = np.array([time.perf_counter(), time.process_time()])
        algo.report(data)
        algo.learn((chosen, data))
        end = np.array([time.perf_counter(), time.process_time()])
        rows.append([*(end - start), *(sampled - start), algo.env_steps - steps])
    wall, processor, sampling_wall, sampling_processor, steps = np.median(rows[WARM_UP:], axis=0)
    return {
        "wall": wall,
        "processor": processor,
        "sampling": sampling_wall,
        "sampling processor": sampling_processor,
        "steps": steps,
    }


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--env", default="expedition/Ring-v0")
    parser.add_argument("--hidden", type=int, default=32)
    parser.add_argument("--episodes", type=int, default=20)
    parser.add_argument("--curvature", type=float, default=0.5)
    parser.add_argument("--iterations", type=int, default=50)
    parser.add_argument("--actors", type=int, nargs="+", default=[0])
    options = parser.parse_args()
    torch.set_num_threads(1)
    ray.init(num_cpus=4, include_dashboard=False, log_to_driver=False, logging_level="ERROR")
    print(f"MAESN meta-iteration, {options.env}, {options.episodes} episodes a task, one thread")
    heads = ("actors", "wall s", "processor s", "sampling s", "of processor", "sampled steps/s")
    print(("{:>16}" * len(heads)).format(*heads))
    for actors in options.actors:
        algo = build(options, actors)
        row = measure(algo, options.iterations)
        algo.stop()
        print(
            f"{actors:>16}{row['wall']:>16.3f}{row['processor']:>16.3f}{row['sampling']:>16.3f}"
            f"{row['sampling processor']:>16.3f}{row['steps'] / row['sampling']:>16,.0f}"
        )


if __name__ == "__main__":
    main()
