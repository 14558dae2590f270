"""NBP, DDPG and soft Q-learning as whole methods: they resume exactly, and learn a bandit."""

import subprocess
import sys
from pathlib import Path
from typing import Any

import gymnasium as gym
import numpy as np
import pytest
import ray
import torch
from resume_implicit_script import METHODS, build, everything

from expedition.algorithms import registry
from expedition.algorithms.core.learner import as_train_batch

SCRIPT = Path(__file__).with_name("resume_implicit_script.py")


def flat(state: Any, path: str = "") -> dict[str, Any]:
    """Nested states by their paths; spaces have generators that nothing draws from."""
    if path.endswith(("action_space", "observation_space")):
        return {}
    if isinstance(state, dict | list | tuple):
        items = state.items() if isinstance(state, dict) else enumerate(state)
        parts = [flat(value, f"{path}/{key}") for key, value in items]
        return {key: value for part in parts for key, value in part.items()}
    return {path: state}


@pytest.mark.slow
def test_a_run_resumed_in_a_new_process_equals_the_run_never_stopped(
    tmp_path: Path, small_ray: None
):
    whole = {}
    for method in METHODS:
        algo = build(method)
        for iteration in range(4):
            if iteration == 2:
                algo.save_to_path(tmp_path / method)
            algo.train()
        whole[method] = flat(everything(algo))
        algo.stop()
    arguments = [str(tmp_path), "2", ray.get_runtime_context().gcs_address]
    subprocess.run([sys.executable, str(SCRIPT), *arguments], check=True, timeout=300)
    for method, expected in whole.items():
        found = flat(torch.load(tmp_path / f"{method}.pt", weights_only=False))
        assert found.keys() == expected.keys()
        assert [found[f"/counters/{n}"] for n in range(3)] == [4, 480, 105]
        assert "/arrays/eval/state-0/q_values" in found
        for path, value in expected.items():
            np.testing.assert_array_equal(np.asarray(found[path]), value, f"{method}{path}")


PRECISION = np.linalg.inv([[1.0, 0.9], [0.9, 1.0]])


def bandit_reward(actions: np.ndarray) -> np.ndarray:
    return -np.einsum("bi,ij,bj->b", actions, PRECISION, actions)


def learned_actions(method: str, **settings: Any) -> np.ndarray:
    """1000 actions after 800 updates on uniform pulls of a bandit with correlated payoffs."""
    box = gym.spaces.Box(-1, 1, (1,), np.float32)
    actions = gym.spaces.Box(-1, 1, (2,), np.float32)
    config = registry.config_class(method)()
    config.environment(observation_space=box, action_space=actions).debugging(seed=0)
    learner = config.training(train_batch_size=64, **settings).build_learner()
    pulls = np.random.default_rng(0).uniform(-1, 1, (2000, 2)).astype(np.float32)
    ones = np.ones((2000, 1), np.float32)
    data = {
        "obs": ones,
        "actions": pulls,
        "rewards": bandit_reward(pulls).astype(np.float32),
        "next_obs": ones,
        "terminateds": np.ones(2000, bool),
        "truncateds": np.zeros(2000, bool),
        "context": 0 * ones,
    }
    learner.update(as_train_batch(data), num_updates=800)
    module = learner.module["default_policy"].unwrapped()
    with torch.no_grad():
        return module.act(torch.ones(1000, 1), torch.zeros(1000, 1), None, explore=False).numpy()


@pytest.mark.parametrize(
    ("method", "settings"),
    [("nbp", {"policy_lr": 1e-3}), ("ddpg", {"policy_lr": 1e-3, "q_lr": 3e-3})],
)
def test_it_finds_the_best_action(method: str, settings: dict[str, Any]):
    actions = learned_actions(method, **settings)
    # Uniform actions score -3.5 on average, the best one 0.
    assert bandit_reward(actions).mean() > -0.3


def test_soft_q_learning_draws_from_the_boltzmann_density():
    # exp(10 r) is the normal density of covariance 0.05 [[1, 0.9], [0.9, 1]].
    actions = learned_actions("sql", policy_lr=3e-3, q_lr=3e-3, reward_scale=10.0)
    assert np.corrcoef(actions.T)[0, 1] == pytest.approx(0.9, abs=0.1)
    np.testing.assert_allclose(actions.std(0), np.sqrt(0.05), rtol=0.25)
    np.testing.assert_allclose(actions.mean(0), 0, atol=0.1)


@pytest.mark.parametrize(
    ("env", "states", "message"),
    [
        ("expedition/MultiGoal-v0", [[0, 0], [1]], "must be a list of states of 2 numbers"),
        ("Pendulum-v1", [[1, 0, 0]], "of 2 coordinates, Pendulum-v1 has 1; leave q_states out"),
    ],
)
def test_states_that_do_not_fit_are_refused(env: str, states: list, message: str, small_ray: None):
    config = registry.config_class("nbp")().environment(env).training(q_states=states)
    with pytest.raises(ValueError, match=message):
        config.build_algo()


def test_an_evaluation_keeps_the_pictures(small_ray: None):
    config = registry.config_class("nbp")().environment("expedition/MultiGoal-v0")
    config.training(q_states=[[0.0, 0.0], [2.5, -1.0]], iteration_steps=50, warmup_steps=50)
    config.evaluation(evaluation_interval=1, evaluation_duration=2).debugging(seed=0)
    algo = config.build_algo()
    algo.train()
    assert {f"eval/state-{k}/q_values" for k in (0, 1)} <= set(algo.coverage_arrays())
    algo.stop()
