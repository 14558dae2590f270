"""VIME as an RLlib algorithm: it explores where there is no reward, and resumes exactly."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from built import keep

from expedition.algorithms.core.metrics import curate
from expedition.algorithms.trpo import TRPOConfig
from expedition.algorithms.vime import VIMEConfig

pytestmark = pytest.mark.usefixtures("small_ray")

SMALL = {"hidden_sizes": (16, 16), "batch_steps": 500, "model_updates": 30, "torch_threads": 1}


def build(env: str = "expedition/Ring-v0", **settings: Any) -> Any:
    sparse = {"reward": "sparse"} if env == "expedition/Ring-v0" else {}
    config = VIMEConfig().environment(env, env_config=sparse).training(**(SMALL | settings))
    config.debugging(seed=1).env_runners(num_envs_per_env_runner=5)
    return keep(config.build_algo())


def rows(algo: Any, iterations: int) -> list[dict[str, float]]:
    return [
        {k: v for k, v in curate(algo.train()).items() if not k.startswith("time/")}
        for _ in range(iterations)
    ]


def test_it_reports_its_model_and_its_bonus():
    first, second = rows(build(), 2)
    assert first["learner/intrinsic_reward"] == 0
    assert second["learner/intrinsic_reward"] > 0
    assert second["learner/model_divergence"] > 0
    assert second["env_steps"] == 1000


@pytest.mark.parametrize("tasks", [0, 2])
def test_a_restored_run_equals_the_run_never_stopped(tasks: int, tmp_path: Path):
    first = build(tasks=tasks)
    rows(first, 2)
    first.save_to_path(tmp_path)
    second = build(tasks=tasks)
    second.restore_from_path(tmp_path)
    assert rows(first, 2) == rows(second, 2)
    for name, array in first.policy_state().items():
        np.testing.assert_array_equal(array, second.policy_state()[name], err_msg=name)


@pytest.mark.slow
def test_it_finds_a_goal_that_trpo_does_not():
    """The car must swing; effort costs, so that without a bonus the policy soon rests."""
    returns = {}
    for name, config in (("vime", VIMEConfig()), ("trpo", TRPOConfig())):
        config.environment("MountainCarContinuous-v0", env_config={"max_episode_steps": 200})
        config.training(hidden_sizes=(32, 32), batch_steps=5000, torch_threads=1)
        if name == "vime":
            config.training(intrinsic_coeff=0.01)
        config.debugging(seed=0).env_runners(num_envs_per_env_runner=25)
        returns[name] = rows(keep(config.build_algo()), 22)[-1]["train/return_mean"]
    assert returns["vime"] > 50  # 100 at the goal
    assert -20 < returns["trpo"] < 0
