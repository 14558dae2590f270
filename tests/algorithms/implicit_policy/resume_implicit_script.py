"""Goes on with runs in a process of its own; called by ``test_implicit_off_policy``.

resume_implicit_script.py FOLDER ITERATIONS RAY_ADDRESS
"""

import sys
from pathlib import Path
from typing import Any

import ray
import torch

from expedition.algorithms import registry
from expedition.algorithms.core.rllib import local_learner

METHODS: dict[str, dict[str, Any]] = {
    "nbp": {"entropy_coeff": 0.5, "target_every": 7, "critic_hidden_sizes": (8, 8)},
    "ddpg": {"fragment_steps": 5, "critic_hidden_sizes": (8, 8), "noise_adapt_every": 7},
    "sql": {"target_every": 7, "particles": 6, "reward_scale": 0.1},
}
TINY: dict[str, Any] = {
    "hidden_sizes": (8, 8),
    "warmup_steps": 60,
    "iteration_steps": 120,
    "train_batch_size": 16,
    "updates_per_step": 0.25,
    "replay_capacity": 300,
    "torch_threads": 1,
    "q_states": [[0.0, 0.0]],
}


def build(method: str) -> Any:
    config = registry.config_class(method)().environment("expedition/MultiGoal-v0")
    config.env_runners(num_envs_per_env_runner=3).debugging(seed=5)
    config.evaluation(evaluation_interval=2, evaluation_duration=2)
    return config.training(**TINY | METHODS[method]).build_algo()


def everything(algo: Any) -> dict[str, Any]:
    """All that a run is: learner, runner, counters and what it has measured."""
    learner = local_learner(algo.learner_group).get_state()
    learner.pop("metrics_logger", None)
    return {
        "learner": learner,
        "rollout": algo.env_runner.get_state(components="rollout")["rollout"],
        "counters": [algo.iteration, algo.env_steps, algo.updates],
        "coverage": algo.coverage_tracker().metrics(),
        "arrays": algo.coverage_arrays(),
    }


def main() -> None:
    folder, iterations = Path(sys.argv[1]).absolute(), int(sys.argv[2])
    ray.init(address=sys.argv[3], log_to_driver=False, logging_level="ERROR")
    for method in METHODS:
        algo = build(method)
        algo.restore_from_path(folder / method)
        for _ in range(iterations):
            algo.train()
        torch.save(everything(algo), folder / f"{method}.pt")


if __name__ == "__main__":
    main()
