"""The pool, the model's fit, and what the bonus rewards."""

import pytest
import torch
from torch import Tensor

from expedition.algorithms.vime.information_reward import InformationReward, InformationSettings
from expedition.algorithms.vime.transition_pool import TransitionPool

QUICK = InformationSettings(
    hidden_sizes=(16,), updates=200, lr=1e-2, pool_size=2000, min_pool_size=100
)


def transitions(count: int, seed: int = 0, centre: float = 0.0) -> tuple[Tensor, Tensor, Tensor]:
    """o' = o + 0.5 a for o around ``centre``."""
    generator = torch.Generator().manual_seed(seed)
    obs = centre + 0.1 * torch.randn(count, 2, generator=generator)
    actions = torch.randn(count, 2, generator=generator)
    return obs, actions, obs + 0.5 * actions


def test_pool_keeps_the_newest_and_standardises_by_them():
    pool = TransitionPool(4, 1, 1)
    values = torch.arange(6.0)[:, None]
    pool.add(values[:3], -values[:3], values[:3] + 10)
    pool.add(values[3:], -values[3:], values[3:] + 10)
    assert pool.size == 4
    obs, actions, next_obs = pool.draw(200, torch.Generator().manual_seed(0))
    assert set(obs.flatten().tolist()) == {2.0, 3.0, 4.0, 5.0}
    assert torch.equal(actions, -obs)
    assert torch.equal(next_obs, obs + 10)
    standard = pool.standardiser()
    assert standard.obs_mean.item() == 3.5
    assert standard.obs_std.item() == pytest.approx(1.25**0.5)
    expected = torch.tensor([[(5 - 3.5) / 1.25**0.5, (-5 + 3.5) / 1.25**0.5]])
    torch.testing.assert_close(standard.inputs(values[5:], -values[5:]), expected)


def test_pool_keeps_the_last_of_more_than_fit():
    pool = TransitionPool(3, 1, 1)
    values = torch.arange(8.0)[:, None]
    pool.add(values, values, values)
    obs, _, _ = pool.draw(100, torch.Generator().manual_seed(0))
    assert set(obs.flatten().tolist()) == {5.0, 6.0, 7.0}


def test_there_is_no_bonus_before_the_model_has_learned():
    reward = InformationReward(2, 2, QUICK, seed=0)
    assert torch.equal(reward.reward(*transitions(50)), torch.zeros(50))
    assert reward.update(*transitions(50)) == {}


def test_a_familiar_transition_teaches_less_than_a_surprise():
    reward = InformationReward(2, 2, QUICK, seed=0)
    for seed in range(5):
        losses = reward.update(*transitions(500, seed))
    obs, actions, next_obs = transitions(100, seed=9)
    familiar = reward.gain(obs, actions, next_obs)
    surprising = reward.gain(obs, actions, next_obs + 5.0)
    elsewhere = reward.gain(*transitions(100, seed=9, centre=5.0))
    assert surprising.mean() > 10 * familiar.mean()
    assert elsewhere.mean() > 10 * familiar.mean()
    assert losses["model_loss"] < reward.update(*transitions(500, 8))["model_loss"] + 0.1


def test_bonus_is_measured_against_the_mean_of_medians():
    reward = InformationReward(2, 2, QUICK, seed=0)
    reward.update(*transitions(500))
    state = reward.state_dict()
    first, second = transitions(101, seed=1), transitions(101, seed=2, centre=1.0)
    gains = [reward.gain(*first), reward.gain(*second)]
    reward.load_state_dict(state)
    medians = [gain.median() for gain in gains]
    torch.testing.assert_close(reward.reward(*first), gains[0] / medians[0])
    expected = gains[1] / ((medians[0] + medians[1]) / 2)
    torch.testing.assert_close(reward.reward(*second), expected)


def test_gain_is_clipped():
    reward = InformationReward(2, 2, QUICK, seed=0)
    reward.update(*transitions(500))
    obs, actions, next_obs = transitions(3)
    assert torch.equal(reward.gain(obs, actions, next_obs + 1e9), torch.full((3,), 1000.0))


def test_a_restored_bonus_continues_exactly():
    first, second = (InformationReward(2, 2, QUICK, seed=seed) for seed in (0, 1))
    first.update(*transitions(300))
    first.reward(*transitions(20, seed=3))
    second.load_state_dict(first.state_dict())
    for model in (first, second):
        model.update(*transitions(300, seed=1))
    torch.testing.assert_close(
        first.reward(*transitions(20, seed=4)),
        second.reward(*transitions(20, seed=4)),
        rtol=0,
        atol=0,
    )
