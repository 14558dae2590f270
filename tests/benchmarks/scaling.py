"""What a second core brings: env runners, seeds, SM4's components, MAESN's tasks.

    python tests/benchmarks/scaling.py [--rounds 5] [--parts runners seeds components tasks]

Every part is measured with one and with two workers of one thread each, in turn, and beside it
what this machine gives to two processes that know nothing of each other: its ceiling, of gradient
steps of a small network in PyTorch, or of steps of a MuJoCo environment. A ratio, and its share of
the ceiling, is taken within a round; medians and quartiles are over the rounds. Rates are of work
under way: building and the first iteration are not timed. Nothing else should run.

- runners: SAC on ``expedition/ManipulationFetch-v0`` (twenty steps of physics in each) with one and
  two remote env runners, fragments of 100 steps, without gradient steps, which one learner makes
  however many runners there are.
- seeds: one and two trials of SAC on ``expedition/Navigation-v0`` (300-300, batch 128, a gradient
  step an environment step), each in a process of its own.
- components: SM4 split over actors, as ``sm4_split.py``.
- tasks: sampling and adapting of a MAESN iteration on ``expedition/Wheeled-v0`` by one and two
  actors, as ``maesn_iteration.py``.
"""

from __future__ import annotations

import argparse
import os
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from dataclasses import dataclass
from multiprocessing import get_context

os.environ["OMP_NUM_THREADS"] = "1"

import gymnasium as gym
import maesn_iteration
import numpy as np
import ray
import sm4_split
import torch

import expedition.envs  # noqa: F401
from expedition.algorithms.maesn import MAESN
from expedition.algorithms.sac import SAC, SACConfig

HEAVY = "expedition/ManipulationFetch-v0"
CEILING_S = 1.5


@dataclass(frozen=True)
class Part:
    """Something measured with one worker and with two.

    Attributes:
        sides: Functions that work for a while and give steps a second, with one and with two.
        ceiling: Name of the work that says what the machine allows.
        aim: Ratio hoped for, on a machine with two whole cores.
    """

    sides: tuple[Callable[[], float], Callable[[], float]]
    ceiling: str
    aim: float | None = None


def gradient_steps(seconds: float) -> float:
    """Gradient steps a second of a network of SAC's size, on one thread."""
    torch.set_num_threads(1)
    layers = [torch.nn.Linear(32, 300), torch.nn.ReLU(), torch.nn.Linear(300, 300)]
    network = torch.nn.Sequential(*layers, torch.nn.ReLU(), torch.nn.Linear(300, 1))
    optimizer = torch.optim.Adam(network.parameters())
    batch = torch.randn(128, 32)
    steps, start = 0, time.perf_counter()
    while time.perf_counter() - start < seconds:
        optimizer.zero_grad()
        network(batch).square().mean().backward()
        optimizer.step()
        steps += 1
    return steps / (time.perf_counter() - start)


def environment_steps(seconds: float) -> float:
    """Environment steps a second of the heavy environment, random actions."""
    env = gym.make(HEAVY)
    env.reset(seed=0)
    env.action_space.seed(0)
    steps, start = 0, time.perf_counter()
    while time.perf_counter() - start < seconds:
        if any(env.step(env.action_space.sample())[2:4]):
            env.reset()
        steps += 1
    return steps / (time.perf_counter() - start)


CEILINGS = {"PyTorch": gradient_steps, "MuJoCo": environment_steps}


def ceiling(pool: ProcessPoolExecutor, work: Callable[[float], float]) -> float:
    """How much more two processes do than one."""
    (alone,) = pool.map(work, [CEILING_S])
    return sum(pool.map(work, [CEILING_S] * 2)) / alone


@ray.remote(num_cpus=1)
class Trial:
    """A trial's process."""

    def __init__(self, seed: int) -> None:
        config = SACConfig().environment("expedition/Navigation-v0").debugging(seed=seed)
        config.training(
            hidden_sizes=(300, 300),
            train_batch_size=128,
            warmup_steps=200,
            iteration_steps=300,
            torch_threads=1,
        )
        self.algo = config.build_algo()
        self.algo.train()

    def train(self) -> int:
        """One iteration; gives its environment steps."""
        before = self.algo.env_steps
        self.algo.train()
        return self.algo.env_steps - before


def runners() -> Part:
    """Remote env runners of one learner."""

    def build(count: int) -> SAC:
        config = SACConfig().environment(HEAVY).debugging(seed=0)
        config.training(
            updates_per_step=0.0,
            warmup_steps=0,
            fragment_steps=100,
            iteration_steps=2000 * count,
            replay_capacity=10_000,
            torch_threads=1,
        )
        algo = config.env_runners(num_env_runners=count).build_algo()
        algo.train()
        return algo

    one, two = build(1), build(2)
    return Part((lambda: sm4_split.rate([one]), lambda: sm4_split.rate([two])), "MuJoCo", 1.8)


def seeds() -> Part:
    """Trials that know nothing of each other."""
    trials = [Trial.remote(seed) for seed in range(2)]

    def rate(count: int) -> float:
        start = time.perf_counter()
        steps = sum(ray.get([trial.train.remote() for trial in trials[:count]]))
        return steps / (time.perf_counter() - start)

    rate(2)
    return Part((lambda: rate(1), lambda: rate(2)), "PyTorch", 1.9)


def components() -> Part:
    """SM4's components on actors."""
    one, two = (sm4_split.build(count, 300) for count in (1, 2))
    return Part((lambda: sm4_split.rate([one]), lambda: sm4_split.rate([two])), "PyTorch", 1.7)


def tasks() -> Part:
    """A batch of MAESN's tasks on actors."""
    options = argparse.Namespace(
        env="expedition/Wheeled-v0", hidden=100, episodes=10, curvature=0.5
    )
    one, two = (maesn_iteration.build(options, count) for count in (1, 2))

    def rate(algo: MAESN) -> float:
        start = time.perf_counter()
        data = algo.gather(algo.draw_tasks())
        seconds = time.perf_counter() - start
        return (data.scores[:, 2].sum() + data.batch.lengths.sum()) / seconds

    rate(one), rate(two)
    return Part((lambda: rate(one), lambda: rate(two)), "MuJoCo")


PARTS = {"runners": runners, "seeds": seeds, "components": components, "tasks": tasks}


def main() -> None:
    """Build every part, measure all of them in turn, and print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--parts", nargs="+", default=list(PARTS), choices=list(PARTS))
    options = parser.parse_args()
    torch.set_num_threads(1)
    ray.init(num_cpus=16, include_dashboard=False, log_to_driver=False, logging_level="ERROR")
    with ThreadPoolExecutor(len(options.parts)) as threads:
        built = threads.map(lambda name: PARTS[name](), options.parts)
        parts = dict(zip(options.parts, built, strict=True))
    with ProcessPoolExecutor(2, mp_context=get_context("spawn")) as pool:
        list(pool.map(gradient_steps, [0.1] * 4))  # imports
        rounds = [measure(parts, pool) for _ in range(options.rounds)]
    show(parts, rounds)


def measure(parts: dict[str, Part], pool: ProcessPoolExecutor) -> dict[str, list[float]]:
    """One round: ``name -> [one, two]`` steps a second, ceilings as ratios."""
    used = {part.ceiling for part in parts.values()}
    found: dict[str, list[float]] = {
        name: [1.0, ceiling(pool, work)] for name, work in CEILINGS.items() if name in used
    }
    return found | {name: [side() for side in part.sides] for name, part in parts.items()}


def show(parts: dict[str, Part], rounds: Sequence[dict[str, list[float]]]) -> None:
    """Print the table."""
    print("| | one, steps/s | two, steps/s | ratio | ceiling | of the ceiling | aim |")
    print("|---|---|---|---|---|---|---|")
    for name, part in parts.items():
        rates = np.array([each[name] for each in rounds])
        limits = np.array([each[part.ceiling][1] for each in rounds])
        ratios = rates[:, 1] / rates[:, 0]
        one, two = np.median(rates, 0)
        share = np.median(ratios / limits)
        print(
            f"| {name} | {one:,.0f} | {two:,.0f} | {quartiles(ratios)} | {part.ceiling}"
            f" {quartiles(limits)} | {share:.0%} | {part.aim or ''} |"
        )


def quartiles(values: np.ndarray) -> str:
    """Median and quartiles as text."""
    low, middle, high = np.percentile(values, [25, 50, 75])
    return f"{middle:.2f} ({low:.2f} to {high:.2f})"


if __name__ == "__main__":
    main()
