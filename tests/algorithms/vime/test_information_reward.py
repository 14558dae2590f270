"""The pool, the models' fit, and what the bonus rewards."""

import pytest
import torch
from torch import Tensor

from expedition.algorithms.vime.information_reward import InformationReward, InformationSettings
from expedition.algorithms.vime.transition_pool import TransitionPool, Transitions

QUICK = InformationSettings(
    hidden_sizes=(16,), updates=200, lr=1e-2, pool_size=2000, min_pool_size=100
)


def transitions(count: int, seed: int = 0, centre: float = 0.0, jump: float = 0.0) -> Transitions:
    """One task's o' = o + 0.5 a (+ jump) for o around ``centre``."""
    generator = torch.Generator().manual_seed(seed)
    obs = centre + 0.1 * torch.randn(1, count, 2, generator=generator)
    actions = torch.randn(1, count, 2, generator=generator)
    return Transitions(obs, actions, obs + 0.5 * actions + jump)


def all_of(batch: Transitions) -> Tensor:
    return torch.ones(batch.obs.shape[:2], dtype=torch.bool)


def make(seed: int = 0, tasks: int = 1) -> InformationReward:
    return InformationReward(tasks, 2, 2, QUICK, seed)


def update(reward: InformationReward, batch: Transitions) -> dict[str, float]:
    return reward.update(batch, all_of(batch))


def bonus(reward: InformationReward, batch: Transitions) -> Tensor:
    return reward.reward(batch, all_of(batch))[0]


def column(*values: float) -> Tensor:
    return torch.tensor(values)[None, :, None]


def numbered(values: Tensor) -> Transitions:
    return Transitions(values, -values, values + 10)


def test_pool_keeps_the_newest_and_standardises_by_them():
    pool = TransitionPool(1, 4, 1, 1)
    for values in (column(0, 1, 2), column(3, 4, 5)):
        pool.add(numbered(values), torch.ones(1, 3, dtype=torch.bool))
    assert pool.sizes.tolist() == [4]
    obs, actions, next_obs = pool.draw(200, torch.Generator().manual_seed(0))
    assert set(obs.flatten().tolist()) == {2.0, 3.0, 4.0, 5.0}
    assert torch.equal(actions, -obs)
    assert torch.equal(next_obs, obs + 10)
    standard = pool.standardiser()
    assert standard.obs_mean.item() == 3.5
    assert standard.obs_std.item() == pytest.approx(1.25**0.5)
    expected = torch.tensor([[[(5 - 3.5) / 1.25**0.5, (-5 + 3.5) / 1.25**0.5]]])
    torch.testing.assert_close(standard.inputs(numbered(column(5))), expected)


def test_a_constant_column_is_not_scaled_up_to_noise():
    pool = TransitionPool(1, 50_000, 2, 1)
    varied = torch.randn(1, 50_000, 1, generator=torch.Generator().manual_seed(0))
    obs = torch.cat((torch.full_like(varied, 0.4637), 0.01 * varied), -1)
    batch = Transitions(obs, varied, obs)
    pool.add(batch, all_of(batch))
    standard = pool.standardiser()
    for columns in (standard.inputs(batch), standard.targets(batch)):
        assert columns[..., 0].abs().max() < 1e-5  # not the mean's rounding error over 1e-8
        assert columns[..., 1].std() == pytest.approx(1, rel=1e-3)


def test_pool_keeps_the_last_of_more_than_fit():
    pool = TransitionPool(1, 3, 1, 1)
    pool.add(numbered(torch.arange(8.0)[None, :, None]), torch.ones(1, 8, dtype=torch.bool))
    obs = pool.draw(100, torch.Generator().manual_seed(0)).obs
    assert set(obs.flatten().tolist()) == {5.0, 6.0, 7.0}


def test_tasks_have_pools_of_their_own_without_padding():
    pool = TransitionPool(2, 10, 1, 1)
    values = torch.stack((torch.arange(4.0), torch.arange(10.0, 14.0)))[..., None]
    pool.add(numbered(values), torch.tensor([[True] * 4, [True, True, False, False]]))
    assert pool.sizes.tolist() == [4, 2]
    obs = pool.draw(100, torch.Generator().manual_seed(0)).obs
    assert set(obs[0].flatten().tolist()) == {0.0, 1.0, 2.0, 3.0}
    assert set(obs[1].flatten().tolist()) == {10.0, 11.0}
    assert pool.standardiser().obs_mean.flatten().tolist() == [1.5, 10.5]


def test_there_is_no_bonus_before_the_model_has_learned():
    reward = make()
    assert torch.equal(bonus(reward, transitions(50)), torch.zeros(50))
    assert update(reward, transitions(50)) == {}


def test_a_familiar_transition_teaches_less_than_a_surprise():
    reward = make()
    losses = [update(reward, transitions(500, seed))["model_loss"] for seed in range(5)]
    familiar = reward.gain(transitions(100, seed=9)).mean()
    surprising = reward.gain(transitions(100, seed=9, jump=5.0)).mean()
    elsewhere = reward.gain(transitions(100, seed=9, centre=5.0)).mean()
    assert surprising > 10 * familiar
    assert elsewhere > 10 * familiar
    assert losses[-1] < losses[0]


def test_bonus_is_measured_against_the_mean_of_medians():
    reward = make()
    update(reward, transitions(500))
    state = reward.state_dict()
    first, second = transitions(101, seed=1), transitions(101, seed=2, centre=1.0)
    gains = [reward.gain(first)[0], reward.gain(second)[0]]
    reward.load_state_dict(state)
    medians = [gain.median() for gain in gains]
    torch.testing.assert_close(bonus(reward, first), gains[0] / medians[0])
    expected = gains[1] / ((medians[0] + medians[1]) / 2)
    torch.testing.assert_close(bonus(reward, second), expected)


def test_padding_has_no_bonus_and_no_part_in_the_median():
    reward = make()
    update(reward, transitions(500))
    batch, mask = transitions(31), torch.ones(1, 31, dtype=torch.bool)
    mask[0, 21:] = False
    batch.obs[0, 21:] = 1e6
    masked = reward.reward(batch, mask)[0]
    assert torch.equal(masked[21:], torch.zeros(10))
    assert masked[:21].median().item() == pytest.approx(1.0)


def test_gain_is_clipped():
    reward = make()
    update(reward, transitions(500))
    assert torch.equal(reward.gain(transitions(3, jump=1e9)), torch.full((1, 3), 1000.0))


def test_a_model_learns_its_own_tasks_dynamics():
    reward = make(tasks=2)
    for seed in range(5):
        plain, shifted = transitions(400, seed), transitions(400, seed + 50, jump=1.0)
        batch = Transitions(*(torch.cat(pair) for pair in zip(plain, shifted, strict=True)))
        reward.update(batch, all_of(batch))
    test = transitions(100, seed=99)
    gain = reward.gain(Transitions(*(torch.cat((each, each)) for each in test)))
    assert gain[1].mean() > 3 * gain[0].mean()


def test_a_restored_bonus_continues_exactly():
    first, second = make(0), make(1)
    update(first, transitions(300))
    bonus(first, transitions(20, seed=3))
    second.load_state_dict(first.state_dict())
    rewards = []
    for reward in (first, second):
        update(reward, transitions(300, seed=1))
        rewards.append(bonus(reward, transitions(20, seed=4)))
    assert torch.equal(*rewards)
