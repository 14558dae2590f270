"""RL² as an RLlib algorithm: it learns within a trial, and resumes exactly."""

from pathlib import Path
from typing import Any

import gymnasium as gym
import numpy as np
import pytest
from built import keep
from ray.tune import register_env

from expedition.algorithms.core.metrics import curate
from expedition.algorithms.rl2 import RL2Config

pytestmark = pytest.mark.usefixtures("small_ray")

SMALL = {
    "hidden_size": 16,
    "meta_batch_size": 10,
    "trials_per_task": 4,
    "test_tasks": 6,
    "test_steps": 3,
    "test_episodes": 5,
    "torch_threads": 1,
}


class Bandit(gym.Env):
    """Episodes of one step: reward minus the distance of the action from a hidden ±0.8."""

    def __init__(self) -> None:
        self.observation_space = gym.spaces.Box(-1, 1, (1,), np.float32)
        self.action_space = gym.spaces.Box(-1, 1, (1,), np.float32)
        self._arm = 0.8

    def tasks(self, split: str) -> np.ndarray:
        return np.array([[0.8], [-0.8]] * 10)

    def set_task(self, task: np.ndarray) -> None:
        self._arm = float(task[0])

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None):
        super().reset(seed=seed)
        return np.zeros(1, np.float32), {"reached": False}

    def step(self, action: np.ndarray):
        distance = abs(float(action[0]) - self._arm)
        return np.zeros(1, np.float32), -distance, True, False, {"reached": distance < 0.4}


@pytest.fixture(autouse=True, scope="module")
def bandit() -> None:
    register_env("bandit", lambda _config: Bandit())


def build(env: str = "expedition/PointGoals-v0", interval: int | None = None, **own: Any) -> Any:
    short = {"max_episode_steps": 8} if env != "bandit" else {}
    config = RL2Config().environment(env, env_config=short).training(**(SMALL | own))
    config.evaluation(evaluation_interval=interval).debugging(seed=1)
    return keep(config.build_algo())


def rows(algo: Any, iterations: int) -> list[dict[str, float]]:
    return [
        {k: v for k, v in curate(algo.train()).items() if not k.startswith("time/")}
        for _ in range(iterations)
    ]


@pytest.mark.slow
def test_it_learns_which_arm_it_has_from_the_first_reward():
    row = rows(build("bandit", interval=60, max_kl=0.05, init_std=0.5), 60)[-1]
    assert row["adapt/return_0"] < -0.6  # ±0.8 is a guess: 0.8 on average, whatever is chosen
    assert row["adapt/return_3"] > -0.35
    assert row["adapt/reach_3"] > 0.7


def test_evaluations_report_every_episode_of_a_trial():
    algo = build(interval=1)
    row = rows(algo, 1)[0]
    assert {f"adapt/return_{k}" for k in range(4)} <= row.keys()
    assert "adapt/return_4" not in row
    assert row["train/episodes"] == 10 * 4 * 4
    assert row["env_steps"] == pytest.approx(160 * row["train/length_mean"])
    assert algo.coverage_arrays()["eval/adapt_return"].shape == (4,)


@pytest.mark.slow
def test_where_trials_are_run_does_not_show_in_the_numbers():
    here = rows(build(interval=1, meta_batch_size=5), 2)
    there = rows(build(interval=1, meta_batch_size=5, task_actors=2), 2)
    assert here == there


def test_a_restored_run_equals_the_run_never_stopped(tmp_path: Path):
    first = build(interval=2)
    rows(first, 2)
    first.save_to_path(tmp_path)
    second = build(interval=2)
    second.restore_from_path(tmp_path)
    assert rows(first, 2) == rows(second, 2)
    for name, array in first.policy_state().items():
        np.testing.assert_array_equal(array, second.policy_state()[name], err_msg=name)
