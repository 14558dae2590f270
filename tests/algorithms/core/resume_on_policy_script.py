"""Trains part of a run in a process of its own; called by ``test_exact_resume_on_policy``.

resume_on_policy_script.py METHOD ITERATIONS SAVE_TO [RESTORE_FROM]
"""

import sys
from pathlib import Path

import ray
import torch

from expedition.algorithms import registry
from expedition.algorithms.core.metrics import curate

ENV = "expedition/PointGoals-v0"
TASKS = {"meta_batch_size": 4, "test_tasks": 3, "test_steps": 2, "test_episodes": 3}
SCRATCH = {"batch_steps": 300, "tasks": 2}
SETTINGS = {
    "maml": TASKS | {"episodes_per_task": 4, "bias_transformation": 3, "adaptive_steps": True},
    "nfp": {
        "train_batch_size_per_learner": 100,
        "entropy_coeff": 0.01,
        "decay_steps": 1000,
        "use_kl_loss": True,
    },
    "rl2": TASKS | {"hidden_size": 8},
    "trpo": SCRATCH,
    "vime": SCRATCH | {"model_updates": 20, "min_pool_size": 100, "pool_size": 1000},
}


def main() -> None:
    method, iterations, target, *source = sys.argv[1:]
    ray.init(num_cpus=1, include_dashboard=False, log_to_driver=False, logging_level="ERROR")
    config = registry.config_class(method)().environment(ENV, env_config={"max_episode_steps": 15})
    config.training(torch_threads=1, **SETTINGS[method]).debugging(seed=7)
    if method in ("maml", "rl2", "nfp"):
        config.evaluation(evaluation_interval=2, evaluation_duration=2)
    algo = config.build_algo()
    if source:
        algo.restore_from_path(Path(source[0]).absolute())
    rows = [curate(algo.train()) for _ in range(int(iterations))]
    algo.save_to_path(Path(target).absolute())
    learner = algo.learner_group.get_state()["learner"]
    learner.pop("metrics_logger", None)
    torch.save(
        {
            "learner": learner,
            "counters": [
                algo.iteration,
                algo.env_steps,
                algo.updates,
                getattr(algo, "episodes", None),
            ],
            "arrays": algo.coverage_arrays(),
            "row": {k: v for k, v in rows[-1].items() if not k.startswith("time/")},
        },
        f"{target}/everything.pt",
    )


if __name__ == "__main__":
    main()
