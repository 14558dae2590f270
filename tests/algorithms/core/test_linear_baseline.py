import numpy as np
import pytest

from expedition.algorithms.core.linear_baseline import (
    advantages,
    baseline_features,
    fitted_baseline,
    returns_to_go,
    standardised,
)

RNG = np.random.default_rng(0)
LENGTHS = np.array([[6, 3, 5], [1, 6, 2]])
MASK = np.arange(6) < LENGTHS[..., None]
OBS = RNG.normal(0, 4, (2, 3, 6, 2))
REWARDS = RNG.normal(size=MASK.shape)


def test_returns_to_go_are_discounted_sums_within_the_episode():
    returns = returns_to_go(REWARDS, MASK, 0.9)
    for (task, episode), length in np.ndenumerate(LENGTHS):
        rewards = REWARDS[task, episode, :length]
        for t in range(length):
            expected = sum(0.9**k * r for k, r in enumerate(rewards[t:]))
            assert returns[task, episode, t] == pytest.approx(expected)


def test_features_are_clipped_observations_their_squares_and_powers_of_time():
    obs = np.array([[[[0.5, -20.0], [2.0, 3.0]]]])
    first, second = baseline_features(obs)[0, 0]
    np.testing.assert_allclose(first, [0.5, -10, 0.25, 100, 0, 0, 0, 1])
    np.testing.assert_allclose(second, [2, 3, 4, 9, 0.01, 1e-4, 1e-6, 1])


def test_each_task_is_fitted_as_numpys_ridge_regression_of_its_own_steps():
    returns = returns_to_go(REWARDS, MASK, 0.99)
    predicted = fitted_baseline(OBS, returns, MASK)
    features = baseline_features(OBS)
    for task in range(2):
        rows = features[task][MASK[task]]
        augmented = np.concatenate([rows, np.sqrt(1e-5) * np.eye(rows.shape[1])])
        target = np.concatenate([returns[task][MASK[task]], np.zeros(rows.shape[1])])
        coefficients = np.linalg.lstsq(augmented, target, rcond=None)[0]
        np.testing.assert_allclose(predicted[task][MASK[task]], rows @ coefficients, atol=1e-6)


def test_a_task_is_fitted_the_same_whatever_the_other_tasks_are():
    returns = returns_to_go(REWARDS, MASK, 0.99)
    together = fitted_baseline(OBS, returns, MASK)
    alone = fitted_baseline(OBS[1:], returns[1:], MASK[1:])
    np.testing.assert_array_equal(together[1:], alone)


def test_with_lambda_one_advantages_are_returns_minus_the_baseline():
    baseline = RNG.normal(size=MASK.shape)
    returns = returns_to_go(REWARDS, MASK, 0.97)
    actual = advantages(REWARDS, baseline, MASK, 0.97, 1.0)
    np.testing.assert_allclose(actual[MASK], (returns - baseline)[MASK], atol=1e-12)
    assert not actual[~MASK].any()


def test_with_lambda_zero_advantages_are_one_step_errors():
    baseline = RNG.normal(size=MASK.shape)
    actual = advantages(REWARDS, baseline, MASK, 0.97, 0.0)
    assert actual[0, 1, 1] == pytest.approx(
        REWARDS[0, 1, 1] + 0.97 * baseline[0, 1, 2] - baseline[0, 1, 1]
    )
    assert actual[0, 1, 2] == pytest.approx(REWARDS[0, 1, 2] - baseline[0, 1, 2])


def test_advantages_are_standardised_over_the_steps_of_each_task():
    values = np.where(MASK, RNG.normal(3, 7, MASK.shape), 0.0)
    scaled = standardised(values, MASK)
    for task in range(2):
        own = values[task][MASK[task]]
        expected = (own - own.mean()) / (own.std() + 1e-8)
        np.testing.assert_allclose(scaled[task][MASK[task]], expected)
    assert not scaled[~MASK].any()
