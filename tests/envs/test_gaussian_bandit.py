import math

import gymnasium as gym
import numpy as np
import pytest

from expedition.envs import conformance
from expedition.envs.bandit import GaussianBanditEnv
from expedition.envs.bandit.tracker import neighbour_entropy
from expedition.envs.coverage import metric_names

ID = "expedition/GaussianBandit-v0"


def tracked(actions, **kwargs):
    """Metrics of a sequence of actions (N, 2), played in 50 copies."""
    envs = gym.make_vec(ID, 50, **kwargs)
    envs.reset(seed=0)
    tracker = envs.unwrapped.coverage_tracker()
    for batch in actions.reshape(-1, 50, 2):
        *_, infos = envs.step(batch)
        tracker.update(np.stack(infos["final_obs"])[None], np.ones((1, 50), dtype=bool))
    return tracker.metrics()


@pytest.mark.parametrize(("action", "reward"), [((1, 1), -1.0526316), ((1, -1), -20.0)])
def test_rewards_are_those_of_the_quadratic_form(action, reward):
    env = GaussianBanditEnv()
    assert env.reset(seed=0)[0].tolist() == [1.0, 0.0, 0.0]
    observation, paid, terminated, truncated, info = env.step(np.array(action))
    assert observation.tolist() == [1.0, *action]
    assert paid == pytest.approx(reward)
    inverse = np.linalg.inv([[1.0, 0.9], [0.9, 1.0]])
    assert paid == pytest.approx(-np.array(action) @ inverse @ np.array(action))
    assert (terminated, truncated, info) == (True, False, {})
    assert env.reset()[0].tolist() == [1.0, 0.0, 0.0]


def test_actions_outside_are_paid_for_as_they_are_or_clipped():
    outside, edge = np.array([3.0, -0.5]), np.array([1.0, -0.5])
    rewards = {}
    for bounds in ("raw", "clip"):
        env = GaussianBanditEnv(0.5, bounds=bounds)
        rewards[bounds] = [env.step(action)[1] for action in (outside, edge)]
    assert rewards["raw"] == pytest.approx([-(9 + 1.5 + 0.25) / 0.75, -(1 + 0.5 + 0.25) / 0.75])
    assert rewards["clip"] == pytest.approx([rewards["raw"][1]] * 2)


def test_the_optimal_policy_is_measured_as_optimal():
    env = GaussianBanditEnv()
    optimum = env.world.optimum
    np.testing.assert_allclose(optimum, 0.05 * np.array([[1.0, 0.9], [0.9, 1.0]]))
    actions = np.random.default_rng(0).multivariate_normal([0, 0], optimum, 2000)
    metrics = tracked(actions)
    assert metrics["correlation"] == pytest.approx(0.9, abs=0.015)
    assert metrics["kl_to_optimum"] == pytest.approx(0.0, abs=0.06)
    assert metrics["action_std"] == pytest.approx(0.2236, abs=0.01)


@pytest.mark.parametrize(
    ("std", "divergence"),
    # Of N(0, s^2 I) from N(0, C): (tr(s^2 inv C) - 2 - ln det(s^2 inv C)) / 2.
    [(0.0974679, 0.8304), (0.15, 1.3366)],
)
def test_the_divergence_of_independent_gaussians_has_its_closed_form(std, divergence):
    precision = np.linalg.inv(GaussianBanditEnv().world.optimum)
    closed = 0.5 * (np.trace(std**2 * precision) - 2.0 - np.linalg.slogdet(std**2 * precision)[1])
    actions = std * np.random.default_rng(1).standard_normal((2000, 2))
    metrics = tracked(actions)
    assert closed == pytest.approx(divergence, abs=1e-3)
    assert metrics["kl_to_optimum"] == pytest.approx(closed, abs=0.1)
    assert abs(metrics["correlation"]) < 0.06


def test_the_entropy_of_points_is_that_of_their_distribution():
    rng = np.random.default_rng(2)
    uniform = rng.uniform(0.0, 3.0, (3000, 2))
    assert neighbour_entropy(uniform) == pytest.approx(math.log(9.0), abs=0.05)
    normal = rng.standard_normal((3000, 2))
    assert neighbour_entropy(normal) == pytest.approx(math.log(2 * math.pi * math.e), abs=0.05)


def test_a_collapsed_policy_is_far_from_the_optimum_and_finite():
    metrics = tracked(np.ones((100, 2)))
    assert 30.0 < metrics["kl_to_optimum"] < 100.0
    assert metrics["correlation"] == 0.0
    assert GaussianBanditEnv().coverage_tracker().metrics() == dict.fromkeys(metrics, 0.0)


def test_metrics_and_other_arguments_conform():
    assert metric_names(ID) == ["action_std", "correlation", "kl_to_optimum"]
    conformance.check(ID, correlation=-0.5, bounds="clip", temperature=1.0)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"correlation": 1.0}, "correlation must be between -1 and 1, got 1.0"),
        ({"bounds": "tanh"}, "bounds must be one of .*, got 'tanh'"),
        ({"temperature": 0.0}, "temperature must be positive, got 0.0"),
    ],
)
def test_wrong_arguments(arguments, message):
    with pytest.raises(ValueError, match=message):
        GaussianBanditEnv(**arguments)


def test_wrong_actions():
    env = GaussianBanditEnv()
    env.reset(seed=0)
    with pytest.raises(ValueError, match=r"shape \(1, 2\), got \(1, 3\)"):
        env.step(np.zeros(3))
    with pytest.raises(ValueError, match="actions must be numbers"):
        env.step(np.array([0.0, np.nan]))
