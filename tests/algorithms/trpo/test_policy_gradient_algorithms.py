from pathlib import Path
from typing import Any

import numpy as np
import pytest
from built import keep

from expedition.algorithms.core.metrics import curate
from expedition.algorithms.trpo import ReinforceConfig, TRPOConfig

pytestmark = pytest.mark.usefixtures("small_ray")

METHODS = {
    "trpo": (TRPOConfig, {"max_kl": 0.05}),
    "reinforce": (ReinforceConfig, {"policy_lr": 0.02, "optimizer": "adam"}),
}


def build(method: str, env: str = "expedition/PointGoals-v0", **settings: Any) -> Any:
    kind, own = METHODS[method]
    small = {"hidden_sizes": (16, 16), "batch_steps": 1000} | own | settings
    made = kind().environment(env).training(**small).debugging(seed=1)
    return keep(made.env_runners(num_envs_per_env_runner=5).build_algo())


@pytest.mark.parametrize("method", METHODS)
def test_it_learns_a_task_of_its_own_for_each_policy(method: str):
    algo = build(method, tasks=4)
    for _ in range(25):
        result = algo.train()
    row = curate(result)
    assert row["adapt/return_24"] > 0.25 * row["adapt/return_0"]  # they are negative
    assert row["updates"] == 25
    assert row["env_steps"] >= 25 * 4 * 1000  # whole episodes; they end at the goal
    assert algo.coverage_arrays()["eval/adapt_return"].shape == (25,)


@pytest.mark.parametrize("method", METHODS)
def test_a_restored_run_equals_the_run_never_stopped(method: str, tmp_path: Path):
    first = build(method, tasks=2)
    for _ in range(2):
        first.train()
    first.save_to_path(tmp_path)
    second = build(method, tasks=2)
    second.restore_from_path(tmp_path)
    for _ in range(2):
        rows = [
            {k: v for k, v in curate(algo.train()).items() if not k.startswith("time/")}
            for algo in (first, second)
        ]
        assert rows[0] == rows[1]
    assert rows[0]["adapt/return_3"] == rows[1]["adapt/return_3"]
    for name, array in first.policy_state().items():
        np.testing.assert_array_equal(array, second.policy_state()[name], err_msg=name)


def test_any_environment_is_learned_with_its_coverage():
    algo = build("trpo", "expedition/Navigation-v0")
    row = curate(algo.train())
    assert row["env_steps"] == 1000
    assert row["coverage/max_radius"] > 0
    assert algo.coverage_arrays()["train/visits"].sum() == 1000


def test_episodes_of_unequal_length_are_whole_and_all_counted():
    algo = build("trpo", "Hopper-v5", batch_steps=300)
    row = curate(algo.train())
    assert row["env_steps"] >= 300
    assert row["train/episodes"] % 5 == 0
    assert row["env_steps"] == pytest.approx(row["train/episodes"] * row["train/length_mean"])


def test_evaluating_many_policies_at_once_is_refused():
    config = TRPOConfig().environment("expedition/Ring-v0").training(tasks=2)
    with pytest.raises(ValueError, match="evaluation_interval=1: with tasks > 0"):
        config.evaluation(evaluation_interval=1).build_algo()
