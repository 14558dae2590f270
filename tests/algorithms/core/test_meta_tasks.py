"""Which tasks a meta-learner trains on and adapts to, and how they are shared out."""

from typing import Any

import gymnasium as gym
import numpy as np
import pytest
from built import keep

from expedition.algorithms.core.actor_pool import ActorPool
from expedition.algorithms.maml import MAMLConfig
from expedition.algorithms.maml.worker import MAMLWorker

pytestmark = pytest.mark.usefixtures("small_ray")

SMALL = {
    "hidden_sizes": (4,),
    "meta_batch_size": 4,
    "episodes_per_task": 2,
    "test_steps": 1,
    "test_episodes": 2,
    "torch_threads": 1,
}


def build(env: str, test_env_config: dict[str, Any] | None = None, **settings: Any) -> Any:
    config = MAMLConfig().environment(env, env_config={"max_episode_steps": 5})
    config.training(**(SMALL | settings)).debugging(seed=1)
    tests = {"env_config": {"max_episode_steps": 5} | (test_env_config or {})}
    config.evaluation(evaluation_interval=1, evaluation_config=tests, evaluation_duration=1)
    return keep(config.build_algo())


def tasks_with(task_seed: int, split: str) -> np.ndarray:
    return gym.make("expedition/Ring-v0", task_seed=task_seed).unwrapped.tasks(split)


def test_evaluations_adapt_to_tasks_of_their_own_environment():
    algo = build("expedition/Ring-v0", {"task_seed": 5}, test_tasks=3)
    algo.evaluate()
    assert algo.coverage_arrays()["eval/tasks"].tolist() == tasks_with(5, "validation")[:3].tolist()
    assert algo.tasks.tolist() == tasks_with(0, "train").tolist()


def test_the_reward_of_an_evaluation_does_not_change_its_tasks():
    algo = build("expedition/Ring-v0", {"reward": "sparse"}, test_tasks=3)
    assert algo.validation_tasks.tolist() == tasks_with(0, "validation")[:3].tolist()


def test_fewer_tasks_than_workers_leave_some_without_work():
    algo = build("expedition/HalfCheetahDirection-v0")
    alone = algo.measure_adaptation()
    algo.pool.stop()
    algo.shares = 3
    settings = algo.pool._local[0].settings
    algo.pool = ActorPool(lambda _index: MAMLWorker(settings), 3)
    assert algo.measure_adaptation() == alone
    assert algo.coverage_arrays()["eval/tasks"].tolist() == [[1.0], [-1.0]]


@pytest.mark.parametrize("setting", ["train_tasks", "test_tasks"])
def test_more_tasks_than_there_are_is_an_error(setting: str):
    with pytest.raises(ValueError, match=f"{setting}=500: the environment has 100 of them"):
        build("expedition/Ring-v0", **{setting: 500})
