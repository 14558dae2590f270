from pathlib import Path
from typing import Any

import numpy as np
import pytest
from built import keep, stop_all
from dead_actors import kill

from expedition.algorithms.core.metrics import curate
from expedition.algorithms.maesn import MAESN, LatentSpaceConfig, MAESNConfig

pytestmark = pytest.mark.usefixtures("small_ray")

SMALL = {
    "hidden_sizes": (8, 8),
    "meta_batch_size": 5,
    "episodes_per_task": 4,
    "test_tasks": 3,
    "test_episodes": 6,
    "test_steps": 2,
}


def config(kind: type = MAESNConfig, env: str = "expedition/Ring-v0", **settings: Any) -> Any:
    made = kind().environment(env).training(**(SMALL | settings)).debugging(seed=1)
    sparse = {"env_config": {"reward": "sparse"}}
    return made.evaluation(evaluation_interval=2, evaluation_duration=10, evaluation_config=sparse)


def build(made: Any) -> Any:
    return keep(made.build_algo())


def curve(algo: Any, iterations: int) -> list[dict[str, float]]:
    rows = [curate(algo.train()) for _ in range(iterations)]
    return [{k: v for k, v in row.items() if not k.startswith("time/")} for row in rows]


def assert_same_weights(first: Any, second: Any) -> None:
    ours, theirs = first.module_state(), second.module_state()
    for name, array in ours.items():
        np.testing.assert_array_equal(array, theirs[name], err_msg=name)


@pytest.mark.parametrize(
    ("env", "settings"),
    [
        ("expedition/Ring-v0", {}),
        pytest.param("expedition/Ring-v0", {"adapt_policy": True}, marks=pytest.mark.slow),
        pytest.param("expedition/AntGoals-v0", {}, marks=pytest.mark.slow),
    ],
)
def test_none_one_or_two_actors_give_the_same_curve(env: str, settings: dict[str, Any]):
    # The ant's episodes end early, each at another time.
    runs = []
    for actors in (0, 1, 2):
        algo = build(config(env=env, task_actors=actors, **settings))
        runs.append((curve(algo, 2), algo.module_state()))
        stop_all()
    (first, weights), *others = runs
    assert "adapt/return_2" in first[1]
    for other, others_weights in others:
        assert other == first
        for name, array in weights.items():
            np.testing.assert_array_equal(array, others_weights[name], err_msg=name)


def test_a_lost_actors_tasks_are_sampled_again_with_the_same_numbers():
    whole, wounded = (build(config(task_actors=actors)) for actors in (0, 2))
    rows = [curve(algo, 1) for algo in (whole, wounded)]
    kill(wounded.pool._hosts[1])
    rows = [curve(algo, 2) for algo in (whole, wounded)]
    assert rows[0] == rows[1]
    assert wounded.pool.revivals >= 1
    assert_same_weights(whole, wounded)


def test_a_new_task_starts_from_the_mean_of_the_tasks_own_steps():
    algo = build(config(step_sizes="per_parameter"))
    curve(algo, 1)
    for name in ("mean_steps", "log_std_steps"):
        learned = algo.module_state()[name]
        assert learned.std(0).min() > 0
        np.testing.assert_allclose(algo.test_request()[name], learned.mean(0), rtol=1e-6)


@pytest.mark.parametrize(
    ("kind", "settings"),
    [
        (MAESNConfig, {}),
        (MAESNConfig, {"step_sizes": "per_parameter", "adapt_policy": True}),
        (MAESNConfig, {"step_sizes": "fixed", "inner_step": 0.5, "halve_test_steps": False}),
        (LatentSpaceConfig, {}),
    ],
)
def test_a_restored_run_equals_the_run_never_stopped(
    tmp_path: Path, kind: type, settings: dict[str, Any]
):
    first = build(config(kind, **settings))
    curve(first, 2)
    first.save_to_path(tmp_path)
    second = build(config(kind, **settings))
    second.restore_from_path(tmp_path)
    before, after = first.coverage_arrays(), second.coverage_arrays()
    assert before.keys() == after.keys()
    assert {"eval/adapt_return", "eval/adapt_latents", "eval/visits"} <= after.keys()
    assert curve(first, 2) == curve(second, 2)
    assert_same_weights(first, second)


def test_a_checkpoint_of_one_split_goes_on_with_another(tmp_path: Path):
    first = build(config())
    curve(first, 1)
    first.save_to_path(tmp_path)
    second = build(config(task_actors=2))
    second.restore_from_path(tmp_path)
    assert curve(first, 1) == curve(second, 1)


def test_both_batches_of_a_meta_iteration_are_counted():
    row = curve(build(config()), 1)[0]
    assert row["env_steps"] == 2 * 5 * 4 * 50
    assert row["train/episodes"] == 2 * 5 * 4
    space = curve(build(config(LatentSpaceConfig)), 1)[0]
    assert space["env_steps"] == 5 * 4 * 50


def test_evaluation_does_not_disturb_training():
    evaluated, plain = config(), config()
    plain.evaluation_interval = None
    first, second = build(evaluated), build(plain)
    for algo in (first, second):
        curve(algo, 3)
    assert_same_weights(first, second)


def test_a_test_starts_from_the_prior_with_the_learned_steps_and_halves_them():
    dense = {"env_config": {"reward": "dense"}}  # from a sparse one nothing would be learned yet
    algo = build(config(test_steps=4, full_test_steps=2).evaluation(evaluation_config=dense))
    worker = algo.pool._local[0]
    assert [worker._factor(k) for k in range(5)] == [1, 1, 0.5, 0.25, 0.125]
    algo.train()
    request = algo.test_request()
    np.testing.assert_allclose(request["mean_steps"], algo.module_state()["mean_steps"][0])
    algo.evaluate()
    latents = algo.coverage_arrays()["eval/adapt_latents"]
    assert latents.shape == (3, 5, 4)
    assert not latents[:, 0].any()
    assert latents[:, 1].any()


def test_continued_adaptation_keeps_its_steps():
    algo = build(config(halve_test_steps=False))
    assert {algo.pool._local[0]._factor(k) for k in range(9)} == {1.0}


def test_the_test_tasks_are_validation_tasks_with_the_reward_of_the_evaluation():
    algo = build(config())
    algo.evaluate()
    env = algo.pool._local[0].test.sampler(1, 1).env
    assert env.world.sparse
    assert not algo.pool._local[0].train.sampler(1, 1).env.world.sparse
    np.testing.assert_array_equal(algo.coverage_arrays()["eval/tasks"], env.tasks("validation")[:3])


def test_exploration_is_wider_with_latents_drawn_than_with_them_fixed():
    algo = build(config(episodes_per_task=10, meta_batch_size=10))
    row = curve(algo, 10)[-1]
    drawn = row["eval/coverage/final_determinant"]
    assert drawn > 2 * row["eval/fixed_latent/coverage/final_determinant"]


@pytest.mark.slow
def test_it_learns_to_adapt_on_the_ring():
    made = config(hidden_sizes=(32, 32), meta_batch_size=20, episodes_per_task=20)
    made.training(test_tasks=20, test_episodes=50, test_steps=3, curvature_episodes=0.5)
    rows = curve(build(made), 40)
    assert rows[-1]["train/post_return"] > rows[-1]["train/pre_return"] + 8
    assert rows[-1]["adapt/return_3"] > rows[-1]["adapt/return_0"] + 2
    assert rows[-1]["adapt/reach_3"] > rows[-1]["adapt/reach_0"] + 0.1


def test_it_is_an_rllib_algorithm_that_asks_for_its_actors_cpus():
    bundles = MAESN.default_resource_request(config(task_actors=2)).bundles
    assert [bundle["CPU"] for bundle in bundles[-2:]] == [1, 1]
    assert len(bundles) == 1 + len(MAESN.default_resource_request(config()).bundles) + 1


def test_settings_outside_their_range_are_named():
    with pytest.raises(ValueError, match="inner_step=1"):
        config(LatentSpaceConfig, inner_step=1.0).validate()
    with pytest.raises(ValueError, match="num_env_runners=2: episodes are sampled by"):
        config().env_runners(num_env_runners=2).validate()
    with pytest.raises(ValueError, match="adapt_policy=True with inner_step=0"):
        config(inner_step=0, step_sizes="fixed", adapt_policy=True).validate()
