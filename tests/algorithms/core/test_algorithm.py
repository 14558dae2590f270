import itertools
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import ray
import torch
from built import keep
from ray import tune
from ray.rllib.algorithms.algorithm import Algorithm

from expedition.algorithms.core.errors import NonFiniteLossError
from expedition.algorithms.core.metrics import curate
from expedition.algorithms.sac import SAC, SACConfig
from expedition.algorithms.smm import SMMConfig

pytestmark = pytest.mark.usefixtures("small_ray")


def build(made: SACConfig) -> Any:
    return keep(made.build_algo())


def config(env: str = "expedition/Navigation-v0", **settings: Any) -> SACConfig:
    small = {
        "hidden_sizes": (8, 8),
        "train_batch_size": 16,
        "warmup_steps": 40,
        "iteration_steps": 100,
        "replay_capacity": 1000,
    }
    return SACConfig().environment(env).training(**(small | settings)).debugging(seed=1)


@pytest.mark.parametrize(("ratio", "updates"), [(1, 160), (0.3, 48), (2.5, 400), (0, 0)])
def test_the_update_to_data_ratio_is_exact(ratio: float, updates: int):
    algo = build(config(updates_per_step=ratio))
    for _ in range(2):
        result = algo.train()
    assert (result["env_steps"], result["updates"]) == (200, updates)
    assert algo.learner_group._learner.updates == updates


def test_fragments_and_copies_change_when_updates_are_made_but_not_how_many():
    made = build(config(fragment_steps=5).env_runners(num_envs_per_env_runner=4))
    made.train()
    assert (made.env_steps, made.updates) == (100, 60)


def test_warm_up_acts_uniformly_or_with_the_policy_as_asked():
    def first_actions(**settings: Any) -> np.ndarray:
        algo = build(config(warmup_steps=100, updates_per_step=0, **settings))
        algo.train()
        actions = algo.learner_group._learner.replay.newest(100)["actions"].numpy()
        return actions

    uniform = first_actions(warmup_actions="uniform")
    policy = first_actions(warmup_actions="policy")
    # Uniform on (-1, 1) has variance 1/3; tanh of a standard normal about 0.39.
    assert abs(uniform.var() - 1 / 3) < 0.05
    assert not np.array_equal(uniform, policy)


def test_the_local_runner_acts_with_the_learners_own_tensors():
    algo = build(config())
    learner = algo.learner_group._learner
    for _ in range(2):
        algo.train()
    online = dict(learner.module["default_policy"].named_parameters())
    for name, parameter in algo.env_runner.module.named_parameters():
        assert parameter.data_ptr() == online[name].data_ptr(), name


def test_the_same_seed_gives_the_same_numbers_and_another_seed_others():
    def curve(seed: int) -> list[dict[str, float]]:
        algo = build(config().debugging(seed=seed))
        rows = [curate(algo.train()) for _ in range(3)]
        return [{k: v for k, v in row.items() if not k.startswith("time/")} for row in rows]

    assert curve(3) == curve(3)
    assert curve(3)[2]["learner/q_loss"] != curve(4)[2]["learner/q_loss"]


def test_evaluation_does_not_disturb_training():
    def final_weights(**evaluation: int) -> dict[str, np.ndarray]:
        algo = build(config().evaluation(**evaluation))
        for _ in range(3):
            algo.train()
        weights = algo.policy_state()
        return weights

    with_evaluation = final_weights(evaluation_interval=1, evaluation_duration=3)
    without = final_weights()
    for name, array in without.items():
        np.testing.assert_array_equal(array, with_evaluation[name], err_msg=name)


def test_results_carry_curated_metrics_with_coverage_and_history():
    settings = {"num_historical_policies": 3, "historical_every": 1}
    evaluated = config(**settings).evaluation(evaluation_interval=2, evaluation_duration=8)
    algo = build(evaluated)
    first, second = curate(algo.train()), curate(algo.train())
    assert second["env_steps"] == 200
    assert "eval/return_mean" not in first
    assert second["eval/episodes"] == 8
    assert {"coverage/halls_window", "learner/q_loss", "train/return_mean"} <= second.keys()
    assert second["eval/historical/coverage/max_radius"] > 0
    arrays = algo.coverage_arrays()
    assert arrays["train/visits"].sum() == 200
    assert arrays["eval/visits"].sum() == 800
    assert arrays["eval/historical/visits"].sum() == 800
    assert not np.array_equal(arrays["eval/visits"], arrays["eval/historical/visits"])


def test_snapshots_are_of_starts_of_iterations_from_the_untrained_policy_on():
    algo = build(config(num_historical_policies=3, historical_every=2))
    before = [algo.policy_state()]
    for _ in range(3):
        algo.train()
        before.append(algo.policy_state())
    assert len(algo.history.snapshots) == 2
    for kept, index in zip(algo.history.snapshots, (0, 2), strict=True):
        for name, array in before[index].items():
            np.testing.assert_array_equal(kept[name], array, err_msg=name)
    assert any((kept[name] != before[3][name]).any() for name in kept)  # the newest comes by itself


def test_arrays_of_the_last_evaluation_survive_a_checkpoint(tmp_path: Path):
    settings = {"num_historical_policies": 3, "historical_every": 1}
    algo = build(config(**settings).evaluation(evaluation_interval=1, evaluation_duration=2))
    algo.train()
    algo.save_to_path(tmp_path)
    other = keep(Algorithm.from_checkpoint(str(tmp_path)))
    before, after = algo.coverage_arrays(), other.coverage_arrays()
    assert before.keys() == after.keys()
    for name, array in before.items():
        np.testing.assert_array_equal(array, after[name], err_msg=name)


def test_each_skill_is_evaluated_by_itself():
    made = SMMConfig().environment("expedition/Navigation-v0").debugging(seed=1)
    made.training(hidden_sizes=(8, 8), num_skills=3, evaluate_skills=True, iteration_steps=100)
    made.evaluation(evaluation_interval=1, evaluation_duration=2)
    algo = build(made.training(warmup_steps=100, density_hidden_sizes=(8, 8)))
    row, arrays = curate(algo.train()), algo.coverage_arrays()
    visits = [arrays[f"eval/skill-{skill}/visits"] for skill in range(3)]
    assert [counts.sum() for counts in visits] == [200, 200, 200]
    distances = [
        np.abs(first - second).sum() / 400 for first, second in itertools.combinations(visits, 2)
    ]
    assert row["eval/skills/pairwise_tv"] == pytest.approx(np.mean(distances))
    assert row["eval/skills/coverage/max_radius"] > 0
    assert arrays["eval/visits"].sum() == 200


def test_remote_runners_collect_the_same_budget_and_merge_their_coverage():
    remote = config(fragment_steps=5, updates_per_step=0.5).env_runners(num_env_runners=2)
    algo = build(remote)
    for _ in range(2):
        result = curate(algo.train())
    assert (result["env_steps"], result["updates"]) == (200, 80)
    assert algo.coverage_arrays()["train/visits"].sum() == 200
    weights = algo.policy_state()
    algo._collect()
    for held in algo._each_runner(lambda runner: runner.module.get_state()):
        for name, array in weights.items():
            np.testing.assert_array_equal(array, held[name])


@pytest.mark.slow
def test_a_killed_runner_is_replaced_and_training_goes_on():
    made = config(fragment_steps=5).env_runners(num_env_runners=2)
    made = build(made.fault_tolerance(restart_failed_env_runners=True))
    made.train()
    victim = made.env_runner_group._worker_manager.actors()[1]
    ray.kill(victim, no_restart=False)
    deadline = time.monotonic() + 90
    while made.env_runner_group.num_healthy_remote_workers() < 2 or made.iteration < 3:
        assert time.monotonic() < deadline, "the runner did not come back"
        made.train()
        time.sleep(0.2)
    before = made.env_steps
    assert made.train()["env_steps"] == before + 100
    assert len(made._collect()["rewards"]) == 10


def test_a_checkpoint_is_an_rllib_checkpoint(tmp_path: Path):
    algo = build(config())
    algo.train()
    algo.save_to_path(tmp_path)
    other = keep(Algorithm.from_checkpoint(str(tmp_path)))
    assert isinstance(other, SAC)
    assert (other.env_steps, other.updates, other.iteration) == (100, 60, 1)
    first, second = (
        {k: v for k, v in curate(a.train()).items() if not k.startswith("time/")}
        for a in (algo, other)
    )
    assert first == second


def test_restoring_an_older_checkpoint_takes_its_weights(tmp_path: Path):
    algo = build(config())
    algo.train()
    algo.save_to_path(tmp_path)
    before = {name: array.copy() for name, array in algo.policy_state().items()}
    for _ in range(2):
        algo.train()
    algo.restore_from_path(tmp_path)
    for name, array in algo.policy_state().items():
        np.testing.assert_array_equal(array, before[name])


def test_a_loss_that_is_not_finite_stops_training_and_says_where():
    algo = build(config())
    algo.train()
    learner = algo.learner_group._learner
    with torch.no_grad():
        next(learner.module["default_policy"].q.parameters()).fill_(float("nan"))
    with pytest.raises(NonFiniteLossError, match=r"q_loss is nan.* at env step 101, update 61"):
        algo.train()


@pytest.mark.slow
def test_rllibs_algorithm_is_a_tune_trainable(tmp_path: Path):
    grid = config().to_dict() | {"q_lr": tune.grid_search([1e-3, 1e-4])}
    results = tune.Tuner(
        SAC,
        param_space=grid,
        run_config=tune.RunConfig(
            stop={"training_iteration": 2}, storage_path=str(tmp_path), verbose=0
        ),
    ).fit()
    assert [result.metrics["env_steps"] for result in results] == [200, 200]
    assert not results.errors


def test_several_learners_are_refused_with_a_remedy():
    with pytest.raises(ValueError, match="num_learners=2: the replay has one owner"):
        config().learners(num_learners=2).build_algo()


def test_the_plain_rllib_way_needs_no_platform():
    algo = (
        SMMConfig()
        .environment("expedition/Navigation-v0", env_config={"halls": 5})
        .training(num_skills=3, hidden_sizes=(8, 8), warmup_steps=50, iteration_steps=100)
        .build_algo()
    )
    keep(algo)
    assert algo.train()["learners"]["default_policy"]["skill_entropy"] > 0
