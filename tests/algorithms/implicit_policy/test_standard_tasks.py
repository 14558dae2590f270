"""Baselines, and NBP, learn a standard task from scratch."""

from typing import Any, NamedTuple

import pytest

from expedition.algorithms import registry
from expedition.algorithms.core.metrics import curate


class Budget(NamedTuple):
    """Iterations, environment copies, and settings that are not the defaults."""

    env: str
    iterations: int
    copies: int
    settings: dict[str, Any]


# Returns: the largest of an untrained policy, and the least of one that learned. A step with the
# pole up is worth 1, of 1000; swinging it up and holding it there costs about 150.
RETURNS = {"InvertedPendulum-v5": (40, 300), "Pendulum-v1": (-800, -450)}
SWING_UP: dict[str, Any] = {"iteration_steps": 500, "policy_lr": 1e-3, "q_lr": 1e-3}
METHODS = {
    "trpo": Budget(
        "InvertedPendulum-v5",
        42,
        10,
        {"batch_steps": 1000, "gae_lambda": 0.97, "hidden_sizes": (32, 32)},
    ),
    "a2c": Budget(
        "InvertedPendulum-v5",
        13,
        16,
        {
            "train_batch_size_per_learner": 320,
            "batches_per_iteration": 25,
            "lambda_": 0.95,
            "gamma": 0.97,
            "lr": 2e-3,
        },
    ),
    "ddpg": Budget("InvertedPendulum-v5", 15, 4, {"iteration_steps": 500, "policy_lr": 1e-3}),
    "nbp": Budget(
        "Pendulum-v1", 11, 4, SWING_UP | {"target_every": 200, "dropout": 0.0, "reward_scale": 0.1}
    ),
    "sql": Budget("Pendulum-v1", 10, 4, SWING_UP | {"target_every": 100, "train_batch_size": 64}),
}


@pytest.mark.slow
@pytest.mark.parametrize("method", METHODS)
def test_a_standard_task_is_learned(method: str, small_ray: None):
    env, iterations, copies, settings = METHODS[method]
    config = registry.config_class(method)().environment(env)
    config.training(torch_threads=1, **settings).debugging(seed=0)
    config.evaluation(
        evaluation_interval=iterations,
        evaluation_duration=10,
        evaluation_config={"num_envs_per_env_runner": 10},
    )
    algo = config.env_runners(num_envs_per_env_runner=copies).build_algo()
    rows = [curate(algo.train()) for _ in range(iterations)]
    algo.stop()
    untrained, learned = RETURNS[env]
    returns = [row["train/return_mean"] for row in rows if "train/return_mean" in row]
    assert returns[0] < untrained
    assert rows[-1]["eval/return_mean"] > learned
