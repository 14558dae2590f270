import numpy as np
import pytest
import torch

from expedition.algorithms.core.skills import (
    SkillPrior,
    adaptive_skills,
    pairwise_total_variation,
)


def generator() -> torch.Generator:
    return torch.Generator().manual_seed(3)


def test_skills_are_one_hot_and_uniform():
    drawn = SkillPrior(4).draw(8000, generator())
    assert drawn.dtype == torch.float32
    assert (drawn.sum(1) == 1).all()
    # Binomial(8000, 1/4): standard deviation 39.
    assert (drawn.sum(0) - 2000).abs().max() < 4 * 39


@pytest.mark.parametrize("coeff", [1.0, 4.0])
def test_the_adaptive_prior_is_inversely_proportional_to_rollouts(coeff: float):
    rng = np.random.default_rng(3)
    pairs = np.array([adaptive_skills(2, 2, coeff, rng) for _ in range(4000)])
    same = (pairs[:, 0] == pairs[:, 1]).mean()
    # After one rollout of a skill, it has 1 / (c + 1) against 1 / c of the other.
    expected = (1 / (coeff + 1)) / (1 / (coeff + 1) + 1 / coeff)
    assert same == pytest.approx(expected, abs=4 * np.sqrt(0.25 / 4000))


def test_a_long_adaptive_sequence_is_balanced():
    counts = np.bincount(adaptive_skills(4, 400, 1.0, np.random.default_rng(3)), minlength=4)
    # Uniform draws would have a standard deviation of 8.7 about 100.
    assert np.abs(counts - 100).max() < 20
    assert counts.sum() == 400


def test_an_evaluation_of_one_skill_draws_no_other():
    prior = SkillPrior(3)
    prior.start_evaluation(skill=2)
    assert prior.draw(5, generator()).tolist() == [[0, 0, 1]] * 5
    prior.start_evaluation()
    assert len(set(prior.draw(50, generator()).argmax(1).tolist())) == 3


def test_total_variation_of_equal_disjoint_and_half_overlapping_skills():
    left, right = np.array([[4, 0], [0, 0]]), np.array([[0, 0], [0, 10]])
    half = np.array([[1, 0], [0, 1]])
    assert pairwise_total_variation([left, 3 * left]) == 0.0
    assert pairwise_total_variation([left, right]) == 1.0
    # Pairs: (left, right) 1, (left, half) 1/2, (right, half) 1/2.
    assert pairwise_total_variation([left, right, half]) == pytest.approx(2 / 3)
