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
is the wall time from request to answer, the transport of the batches included. Two lines follow
that say what the machine allows: two runs that know nothing of each other, sampling on one actor
each, against one of them; and likewise two processes that do arithmetic and nothing else.
"""

import argparse
import os
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

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


def sampled(algos: Sequence[MAESN], rounds: int) -> float:
    """Steps a second of runs that sample side by side, over all of them; a median."""
    rates = []
    for _ in range(WARM_UP + rounds):
        start, before = time.perf_counter(), sum(algo.env_steps for algo in algos)
        with ThreadPoolExecutor(len(algos)) as threads:
            batches = list(threads.map(lambda algo: algo.gather(algo.draw_tasks()), algos))
        seconds = time.perf_counter() - start
        for algo, batch in zip(algos, batches, strict=True):
            algo.report(batch)
        rates.append((sum(algo.env_steps for algo in algos) - before) / seconds)
    return float(np.median(rates[WARM_UP:]))


@ray.remote(num_cpus=0)
class Arithmetic:
    """A process that multiplies small matrices."""

    def seconds(self, products: int = 20_000) -> float:
        """Wall time of so many products of 100 x 100."""
        matrix = np.full((100, 100), 0.01)
        start = time.perf_counter()
        for _ in range(products):
            matrix = matrix @ matrix
        return time.perf_counter() - start


def print_ceiling(options: argparse.Namespace) -> None:
    """Print how much more two processes do than one."""
    algos = [build(options, 1) for _ in range(2)]
    one, two = sampled(algos[:1], options.iterations), sampled(algos, options.iterations)
    print(f"two runs of one actor side by side: {two:,.0f} steps/s, {two / one:.2f} times one")
    for algo in algos:
        algo.stop()
    members = [Arithmetic.remote() for _ in range(2)]
    ray.get([member.seconds.remote() for member in members])
    alone = ray.get(members[0].seconds.remote())
    together = max(ray.get([member.seconds.remote() for member in members]))
    print(f"two processes of arithmetic: {2 * alone / together:.2f} times one")


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
    if max(options.actors) > 1:
        print_ceiling(options)


if __name__ == "__main__":
    main()
