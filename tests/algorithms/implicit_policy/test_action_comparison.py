import numpy as np
import pytest

from expedition.algorithms.implicit_policy.imitation.comparison import (
    ActionComparison,
    count_modes,
)


def test_modes_are_the_high_maxima_of_a_smooth_histogram():
    centres = np.linspace(-0.95, 0.95, 20)

    def bump(at: float) -> np.ndarray:
        return np.exp(-0.5 * np.square((centres - at) / 0.15))

    assert count_modes(bump(0.0)) == 1
    assert count_modes(bump(-0.6) + bump(0.6)) == 2
    assert count_modes(bump(-0.6) + 0.05 * bump(0.6)) == 1  # too low
    assert count_modes(bump(-1.0) + bump(1.0)) == 2  # at the bounds
    assert count_modes(np.ones(20)) == 1
    jagged = np.where(np.arange(20) % 2, 1.0, 0.8) * bump(0.0)
    assert count_modes(jagged) == 1


def test_total_variation_is_taken_in_each_part_and_of_each_coordinate():
    observations = np.array([[-4.0], [-3.0], [4.0], [4.5], [30.0]])
    actions = np.array([[0.9, 0.9], [0.9, 0.9], [-0.9, 0.1], [0.9, 0.1], [0.0, 0.0]])
    comparison = ActionComparison(observations, actions, centres=(-4, 4), half_width=2.0, bins=4)

    def draw(obs: np.ndarray) -> np.ndarray:
        return np.stack([np.where(obs[:, 0] < 0, 0.8, 0.9), np.where(obs[:, 0] < 0, -3.0, 0.1)], 1)

    found = comparison.metrics(draw)
    assert found["tv_at_-4"] == pytest.approx(0.5)  # 0 of the first coordinate, 1 of the second
    assert found["tv_at_4"] == pytest.approx(0.25)  # 0.5 and 0
    assert found["tv"] == pytest.approx(0.375)
    assert found["expert_modes_at_4"] == 2.0
    assert found["modes_at_4"] == 1.0
    pairs = comparison.pairs(draw)
    # Figures show the states between the parts too.
    np.testing.assert_array_equal(pairs["expert_actions"][:, :1], observations)
    np.testing.assert_array_equal(pairs["learner_actions"][:, 1:], draw(observations))


def test_a_place_that_the_expert_never_was_at_is_refused():
    observations = np.array([[0.0, -3.0], [0.0, 4.0]])
    message = r"compare_at=20: .* within compare_half_width=0\.5 .* goes from -3 to 4"
    with pytest.raises(ValueError, match=message):
        ActionComparison(observations, np.zeros((2, 1)), axis=1, centres=(4, 20))


def test_without_centres_all_states_are_one_part():
    rng = np.random.default_rng(0)
    actions = rng.normal(0.0, 0.3, (20_000, 1))
    comparison = ActionComparison(np.zeros((20_000, 1)), actions)
    same = comparison.metrics(lambda obs: rng.normal(0.0, 0.3, (len(obs), 1)))
    assert same["tv"] < 0.05
    assert same.keys() == {"tv"}
    assert comparison.metrics(lambda obs: np.ones((len(obs), 1)))["tv"] > 0.95


def test_a_policy_that_turns_with_the_state_has_one_mode_in_each():
    rng = np.random.default_rng(1)
    observations = rng.uniform(-1.0, 1.0, (4000, 1))
    sides = rng.choice([-0.6, 0.6], (4000, 1))
    comparison = ActionComparison(observations, sides, centres=(0,), half_width=1.0)

    def noise(obs: np.ndarray) -> np.ndarray:
        return rng.normal(0.0, 0.1, obs.shape)

    turning = comparison.metrics(lambda obs: 0.6 * np.sign(obs) + noise(obs))
    assert (turning["modes_at_0"], turning["expert_modes_at_0"]) == (1.0, 2.0)
    both = comparison.metrics(lambda obs: rng.choice([-0.6, 0.6], obs.shape) + noise(obs))
    assert both["modes_at_0"] == 2.0


def test_what_lies_outside_the_bounds_is_not_taken_for_a_mode():
    rng = np.random.default_rng(2)
    comparison = ActionComparison(np.zeros((9, 1)), np.zeros((9, 1)), centres=(0,))
    wide = comparison.metrics(lambda obs: rng.normal(0.0, 1.0, obs.shape))
    assert wide["modes_at_0"] == 1.0
