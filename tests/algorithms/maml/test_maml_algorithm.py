"""MAML as an RLlib algorithm: it learns to adapt, and resumes exactly."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from built import keep

from expedition.algorithms.core.metrics import curate
from expedition.algorithms.maml import MAMLConfig

pytestmark = pytest.mark.usefixtures("small_ray")

SMALL = {
    "hidden_sizes": (16, 16),
    "inner_lr": 0.5,
    "meta_batch_size": 8,
    "episodes_per_task": 10,
    "test_tasks": 6,
    "test_steps": 2,
    "test_episodes": 10,
    "torch_threads": 1,
}


def build(evaluation_interval: int | None = None, **settings: Any) -> Any:
    config = MAMLConfig().environment(
        "expedition/PointGoals-v0", env_config={"max_episode_steps": 20}
    )
    config.training(**(SMALL | settings)).debugging(seed=1)
    sparse = {"env_config": {"max_episode_steps": 20, "reward": "sparse"}}
    config.evaluation(evaluation_interval=evaluation_interval, evaluation_config=sparse)
    return keep(config.build_algo())


def rows(algo: Any, iterations: int) -> list[dict[str, float]]:
    return [
        {k: v for k, v in curate(algo.train()).items() if not k.startswith("time/")}
        for _ in range(iterations)
    ]


def test_it_learns_to_adapt_in_one_step():
    results = rows(build(), 25)
    gains = [row["train/post_return"] - row["train/pre_return"] for row in results]
    assert np.mean(gains[-5:]) > 1.5  # returns start at -8 and are 0 on the goal
    assert np.mean(gains[-5:]) > np.mean(gains[:5]) + 1
    assert results[-1]["env_steps"] <= 25 * 2 * 8 * 10 * 20
    assert results[-1]["updates"] == 25


def test_evaluations_report_every_step_of_adaptation_on_sparse_rewards():
    algo = build(evaluation_interval=1)
    row = rows(algo, 1)[0]
    assert all(0 <= row[f"adapt/return_{k}"] <= 20 for k in range(3))  # dense ones are negative
    assert all(0 <= row[f"adapt/reach_{k}"] <= 1 for k in range(3))
    assert "adapt/return_3" not in row
    assert row["train/pre_return"] < 0
    arrays = algo.coverage_arrays()
    assert arrays["eval/adapt_return"].tolist() == [row[f"adapt/return_{k}"] for k in range(3)]


def test_evaluations_do_not_disturb_training():
    plain, evaluated = rows(build(), 2), rows(build(evaluation_interval=1), 2)
    for first, second in zip(plain, evaluated, strict=True):
        assert first == {name: second[name] for name in first}


@pytest.mark.slow
@pytest.mark.parametrize("actors", [1, 2])
def test_where_tasks_are_sampled_does_not_show_in_the_numbers(actors: int):
    """Also with shares of unequal size."""
    settings = {"meta_batch_size": 5, "inner_steps": 2, "bias_transformation": 2}
    here = rows(build(evaluation_interval=2, **settings), 2)
    there = rows(build(evaluation_interval=2, task_actors=actors, **settings), 2)
    assert here == there


@pytest.mark.parametrize(
    "settings", [{"inner_steps": 2}, {"bias_transformation": 4, "adaptive_steps": True}]
)
def test_a_restored_run_equals_the_run_never_stopped(settings: dict[str, Any], tmp_path: Path):
    first = build(evaluation_interval=2, **settings)
    rows(first, 2)
    first.save_to_path(tmp_path)
    second = build(evaluation_interval=2, **settings)
    second.restore_from_path(tmp_path)
    assert second.coverage_arrays().keys() == first.coverage_arrays().keys()
    assert rows(first, 2) == rows(second, 2)
    for name, array in first.policy_state().items():
        np.testing.assert_array_equal(array, second.policy_state()[name], err_msg=name)
