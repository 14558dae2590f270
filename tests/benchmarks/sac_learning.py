"""SAC learning curves of this project and of Stable-Baselines3 at the same settings.

    python tests/benchmarks/sac_learning.py --library expedition --env Hopper-v5 --seed 0
    python tests/benchmarks/sac_learning.py --library sb3 --env Hopper-v5 --seed 0

One run writes one JSON line per evaluation (deterministic policy, 5 episodes) to ``--out``. Both
sides use the defaults of Stable-Baselines3: two hidden layers of 256, batch 256, learning rate
3e-4, tau 0.005, gamma 0.99, learned temperature, one gradient step an environment step.
``sac_learning_report.py`` draws the curves.
"""

import argparse
import json
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import gymnasium as gym
import numpy as np
import torch

EPISODES = 5
EVERY = 5_000
WARMUP = 1_000


def evaluate(env_id: str, act: Callable[[np.ndarray], np.ndarray]) -> float:
    """Mean return of the deterministic policy over ``EPISODES`` episodes from fixed seeds."""
    env = gym.make(env_id)
    returns = []
    for episode in range(EPISODES):
        obs, _ = env.reset(seed=10_000 + episode)
        done, total = False, 0.0
        while not done:
            obs, reward, terminated, truncated, _ = env.step(act(obs))
            total += float(reward)
            done = terminated or truncated
        returns.append(total)
    env.close()
    return float(np.mean(returns))


def expedition(env_id: str, seed: int, steps: int) -> Iterator[tuple[int, float]]:
    """Train ours; yields (env steps, return)."""
    from expedition.algorithms.core.module import ActionScaler
    from expedition.algorithms.sac import SACConfig

    config = SACConfig().environment(env_id).debugging(seed=seed)
    algo = config.training(iteration_steps=EVERY, warmup_steps=WARMUP).build_algo()
    scale = ActionScaler(algo.env_runner.env.single_action_space)

    def act(obs: np.ndarray) -> np.ndarray:
        with torch.no_grad():
            batch = torch.as_tensor(obs, dtype=torch.float32)[None]
            return scale(algo.get_module().act(batch, torch.empty(1, 0), None, False)[0].numpy())

    for _ in range(steps // EVERY):
        algo.train()
        yield algo.env_steps, evaluate(env_id, act)


def sb3(env_id: str, seed: int, steps: int) -> Iterator[tuple[int, float]]:
    """Train Stable-Baselines3's SAC; yields (env steps, return)."""
    from stable_baselines3 import SAC

    model = SAC("MlpPolicy", env_id, learning_starts=WARMUP, seed=seed, device="cpu")
    for _ in range(steps // EVERY):
        model.learn(EVERY, reset_num_timesteps=False)
        yield (
            model.num_timesteps,
            evaluate(env_id, lambda obs: model.predict(obs, deterministic=True)[0]),
        )


def main() -> None:
    """Run one training."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--library", choices=("expedition", "sb3"), required=True)
    parser.add_argument("--env", default="Hopper-v5")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--steps", type=int, default=100_000)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--out", type=Path, default=Path("docs/benchmarks/sac_learning.jsonl"))
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    train = {"expedition": expedition, "sb3": sb3}[options.library]
    start = time.perf_counter()
    for env_steps, score in train(options.env, options.seed, options.steps):
        row = {
            "library": options.library,
            "env": options.env,
            "seed": options.seed,
            "env_steps": env_steps,
            "return": round(score, 2),
            "seconds": round(time.perf_counter() - start, 1),
        }
        with options.out.open("a") as file:
            file.write(json.dumps(row) + "\n")
        print(row, flush=True)


if __name__ == "__main__":
    main()
