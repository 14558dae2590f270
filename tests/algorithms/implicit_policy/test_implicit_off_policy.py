"""NBP, DDPG and soft Q-learning as whole methods: they resume exactly, and learn a bandit."""

from pathlib import Path
from typing import Any

import gymnasium as gym
import numpy as np
import pytest
import torch

from expedition.algorithms import registry
from expedition.algorithms.core.learner import as_train_batch
from expedition.algorithms.core.rllib import local_learner

METHODS: dict[str, dict[str, Any]] = {
    "nbp": {"entropy_coeff": 0.5, "target_every": 7, "critic_hidden_sizes": (8, 8)},
    "ddpg": {"fragment_steps": 5, "critic_hidden_sizes": (8, 8), "noise_adapt_every": 7},
    "sql": {"target_every": 7, "particles": 6, "reward_scale": 0.1},
}
TINY: dict[str, Any] = {
    "hidden_sizes": (8, 8),
    "warmup_steps": 60,
    "iteration_steps": 120,
    "train_batch_size": 16,
    "updates_per_step": 0.25,
    "replay_capacity": 300,
    "torch_threads": 1,
}


def build(method: str) -> Any:
    config = registry.config_class(method)().environment("expedition/MultiGoal-v0")
    config.env_runners(num_envs_per_env_runner=3).debugging(seed=5)
    return config.training(**TINY | METHODS[method]).build_algo()


def flat(state: Any, path: str = "") -> dict[str, Any]:
    if isinstance(state, dict):
        parts = [flat(value, f"{path}/{key}") for key, value in state.items()]
        return {key: value for part in parts for key, value in part.items()}
    return {path: state}


@pytest.mark.parametrize("method", METHODS)
def test_a_resumed_run_equals_the_run_never_stopped(method: str, tmp_path: Path, small_ray: None):
    through, half, resumed = (build(method) for _copy in range(3))
    for _iteration in range(4):
        result = through.train()
    for _iteration in range(2):
        half.train()
    half.save_to_path(tmp_path)
    resumed.restore_from_path(tmp_path)
    for _iteration in range(2):
        again = resumed.train()
    assert again["env_steps"] == result["env_steps"] == 480
    assert again["coverage"] == result["coverage"]
    states = []
    for algo in (through, resumed):
        learner = local_learner(algo.learner_group)
        state = learner.get_state()
        states.append(flat({key: state[key] for key in ("rl_module", "optimizer", "replay")}))
        algo.stop()
    half.stop()
    assert states[0].keys() == states[1].keys()
    for path, value in states[0].items():
        if isinstance(value, np.ndarray | torch.Tensor):
            assert np.array_equal(value, states[1][path]), path


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
