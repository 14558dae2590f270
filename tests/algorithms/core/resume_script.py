"""Trains part of a run in a process of its own; called by ``test_exact_resume``.

resume_script.py METHOD ENV ITERATIONS SAVE_TO [RESTORE_FROM]
"""

import sys
from pathlib import Path

import ray
import torch

from expedition.algorithms import registry

SETTINGS = {
    "hidden_sizes": (16, 16),
    "warmup_steps": 120,
    "iteration_steps": 160,
    "train_batch_size": 32,
    "replay_capacity": 400,
    "updates_per_step": 0.5,
    "torch_threads": 1,
    "num_historical_policies": 3,
    "historical_every": 1,
}


def main() -> None:
    method, env, iterations, target, *source = sys.argv[1:]
    runners = 2 if method.endswith("-remote") else 0
    ray.init(num_cpus=2, include_dashboard=False, log_to_driver=False, logging_level="ERROR")
    name, *_layout = method.split("-")
    config = registry.config_class(name)()
    settings = SETTINGS | ({"num_skills": 2} if name == "smm" else {})
    if method.endswith("-split"):
        settings |= {"layout": "split", "component_actors": 1, "discriminator_pool": 50}
    config = config.environment(env).training(**settings).debugging(seed=7)
    config.env_runners(num_envs_per_env_runner=2, num_env_runners=runners)
    config.evaluation(evaluation_interval=2, evaluation_duration=2)
    algo = config.build_algo()
    if source:
        algo.restore_from_path(Path(source[0]).absolute())
    for _ in range(int(iterations)):
        algo.train()
    algo.save_to_path(Path(target).absolute())
    tracker = algo.coverage_tracker()
    learner = algo.learner_group.get_state()["learner"]
    learner.pop("metrics_logger", None)
    torch.save(
        {
            "learner": learner,
            "rollouts": algo._each_runner(lambda r: r.get_state(components="rollout")["rollout"]),
            "counters": [algo.iteration, algo.env_steps, algo.updates],
            "history": algo.history.state_dict(),
            "coverage": tracker.metrics() if tracker else None,
            "arrays": algo.coverage_arrays(),
            "components": algo.pool.get_states() if method.endswith("-split") else None,
        },
        f"{target}/everything.pt",
    )


if __name__ == "__main__":
    main()
