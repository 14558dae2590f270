"""PPO, NFP and A2C as algorithms: what they report, and that they learn."""

import math
from typing import Any

import numpy as np
import pytest
from ray.rllib.core.columns import Columns

from expedition.algorithms import registry
from expedition.algorithms.core.metrics import curate
from expedition.algorithms.core.rollout import play

pytestmark = pytest.mark.usefixtures("small_ray")

ENV = "expedition/PointGoals-v0"
METHODS = ("ppo", "nfp", "a2c")


def make(method: str, **settings: Any):
    config = registry.config_class(method)().environment(ENV, env_config={"max_episode_steps": 15})
    config.training(torch_threads=1, **settings).debugging(seed=1)
    config.env_runners(num_envs_per_env_runner=4)
    return config


@pytest.mark.parametrize("method", METHODS)
def test_results_carry_the_platforms_metrics(method):
    config = make(method, train_batch_size_per_learner=120)
    config.evaluation(evaluation_interval=2, evaluation_duration=3)
    algo = config.build_algo()
    first, second = curate(algo.train()), curate(algo.train())
    batches = 25 if method == "a2c" else 1
    updates = 25 if method == "a2c" else 10 * math.ceil(120 / 64)
    assert (first["env_steps"], first["updates"]) == (120 * batches, updates)
    assert (second["env_steps"], second["updates"]) == (240 * batches, 2 * updates)
    assert "eval/return_mean" not in first
    # An episode has at most 15 steps: 4 copies finish 8 in 30 steps each.
    assert second["train/episodes"] >= 16 * batches
    wanted = {"train/return_mean", "eval/return_mean", "learner/kl", "learner/entropy"}
    assert wanted <= second.keys()
    assert any(name.startswith("coverage/") for name in second)
    played = play(algo, 2, seed=0, explore=True)
    assert [len(episode.rewards) for episode in played] == [15, 15]
    algo.stop()


def test_chunks_are_the_transitions_cut_at_the_ends_of_episodes():
    algo = make("ppo", train_batch_size_per_learner=80).build_algo()
    chunks = algo.env_runner.sample_chunks(20)  # 15 steps and 5 of the next, in each of 4 copies
    assert [len(chunk) for chunk in chunks] == [15, 5] * 4
    assert [chunk.is_truncated for chunk in chunks] == [True, False] * 4
    assert not any(chunk.is_terminated for chunk in chunks)
    later = algo.env_runner.sample_chunks(20)
    np.testing.assert_array_equal(chunks[1].observations[-1], later[0].observations[0])
    stored = np.concatenate([chunk.extra_model_outputs[Columns.ACTION_LOGP] for chunk in chunks])
    assert stored.shape == (80,)
    algo.stop()


def test_time_limit_can_count_as_an_end():
    settings = {"train_batch_size_per_learner": 80, "time_limit_is_terminal": True}
    algo = make("ppo", **settings).build_algo()
    chunks = algo.env_runner.sample_chunks(20)
    assert [chunk.is_terminated for chunk in chunks] == [True, False] * 4
    algo.stop()


@pytest.mark.slow
@pytest.mark.parametrize("method", ["ppo", "nfp"])
def test_reacher_is_learned(method):
    config = registry.config_class(method)().environment("Reacher-v5")
    config.training(torch_threads=1, lr=1e-3).debugging(seed=0)
    algo = config.env_runners(num_envs_per_env_runner=16).build_algo()
    returns = [curate(algo.train())["train/return_mean"] for _ in range(15)]
    assert returns[0] < -55
    assert returns[-1] > -30
    algo.stop()
