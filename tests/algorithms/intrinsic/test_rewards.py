"""Each bonus against numbers worked out by hand or by a second, slow implementation."""

import math

import gymnasium as gym
import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional

from expedition.algorithms.core.whitening import Whitening
from expedition.algorithms.intrinsic.count import CountReward
from expedition.algorithms.intrinsic.curiosity import ICMReward
from expedition.algorithms.intrinsic.disagreement import DisagreementReward
from expedition.algorithms.intrinsic.distillation import RNDReward
from expedition.algorithms.intrinsic.pseudocount import PseudocountReward
from expedition.algorithms.intrinsic.reward import IntrinsicReward
from expedition.algorithms.intrinsic.running_moments import RunningMoments
from expedition.algorithms.intrinsic.skill_discovery import DIAYNReward
from expedition.algorithms.smm.density import HistogramDensity, ReconstructionDensity

OBS, ACTIONS, BATCH = 4, 2, 16
BOX = gym.spaces.Box(-1, 1, (OBS,), np.float32)


def batch(size: int = BATCH, seed: int = 0, skills: int = 0) -> dict[str, torch.Tensor]:
    generator = torch.Generator().manual_seed(seed)
    columns = {
        "obs": torch.rand(size, OBS, generator=generator) * 2 - 1,
        "next_obs": torch.rand(size, OBS, generator=generator) * 2 - 1,
        "actions": torch.rand(size, ACTIONS, generator=generator) * 2 - 1,
    }
    if skills:
        columns["context"] = functional.one_hot(torch.arange(size) % skills, skills).float()
    return columns


def sequential(net: nn.Module, member: int = 0) -> nn.Sequential:
    layers: list[nn.Module] = []
    for weight, bias in net._pairs:
        linear = nn.Linear(weight.shape[1], weight.shape[2])
        linear.weight.data = weight[member].detach().T.clone()
        linear.bias.data = bias[member, 0].detach().clone()
        layers += [linear, nn.ReLU()]
    return nn.Sequential(*layers[:-1])


def test_counts_are_those_of_a_dictionary_of_cells():
    reward = CountReward([0, 2], 0.25, "inverse_root")
    data = batch(400)
    reward.observe(data)
    visits: dict[tuple[int, int], int] = {}
    for state in data["obs"].tolist():
        cell = (math.floor(state[0] / 0.25), math.floor(state[2] / 0.25))
        visits[cell] = visits.get(cell, 0) + 1
    bonus = reward.reward(data)
    for state, value in zip(data["obs"].tolist(), bonus.tolist(), strict=True):
        cell = (math.floor(state[0] / 0.25), math.floor(state[2] / 0.25))
        assert value == pytest.approx(visits[cell] ** -0.5)


def test_both_forms_of_the_count_bonus_by_hand():
    states = torch.zeros(4, OBS)
    states[3] = 0.9
    seen = {"obs": states}
    unseen = {"obs": torch.full((1, OBS), -0.7)}
    root, log = CountReward(None, 0.1, "inverse_root"), CountReward(None, 0.1, "log")
    for reward in (root, log):
        reward.observe(seen)
    assert root.reward(seen).tolist() == pytest.approx([3**-0.5] * 3 + [1.0])
    assert log.reward(seen).tolist() == pytest.approx([math.log(4 / 3)] * 3 + [math.log(4)])
    assert root.reward(unseen).item() == 1.0
    assert log.reward(unseen).item() == pytest.approx(math.log(4))


def test_neighbouring_cells_do_not_share_entries_of_the_table():
    reward = CountReward(None, 1.0, "inverse_root")
    side = torch.arange(-12, 13).float() + 0.5
    cells = torch.cartesian_prod(side, side, side)
    entries = reward._entries(cells)
    expected = len(cells) * (len(cells) - 1) / 2 / 2**20  # collisions of a perfect hash: 116
    assert len(cells) - entries.unique().numel() < 2 * expected


def test_the_icm_bonus_is_the_norm_of_the_forward_error_before_the_update():
    torch.manual_seed(0)
    reward = ICMReward(OBS, ACTIONS, (8, 8), 5)
    features, forward = sequential(reward.features), sequential(reward.forward_model)
    inverse = sequential(reward.inverse_model)
    data = batch()
    now, later = features(data["obs"]), features(data["next_obs"])
    error = later - forward(torch.cat((now, data["actions"]), 1))
    guess = inverse(torch.cat((now, later), 1))
    loss = (error**2).mean() + ((guess - data["actions"]) ** 2).mean()
    expected_gradient = torch.autograd.grad(loss, features[0].weight)[0]
    output = reward.evaluate(data)
    torch.testing.assert_close(output.reward, error.norm(dim=1).detach())
    torch.testing.assert_close(output.loss, loss)
    gradient = torch.autograd.grad(output.loss, reward.features.weight_0)[0]
    torch.testing.assert_close(gradient[0].T, expected_gradient)
    optimizer = torch.optim.Adam(reward.parameters(), lr=0.01)
    before = reward.reward(data)
    torch.testing.assert_close(reward.update(data, optimizer), before)
    assert not torch.allclose(reward.reward(data), before)


def test_the_disagreement_is_the_mean_variance_of_the_members():
    torch.manual_seed(0)
    reward = DisagreementReward(OBS, ACTIONS, (8,), 3)
    data = batch()
    inputs = torch.cat((data["obs"], data["actions"]), 1)
    guesses = torch.stack([sequential(reward.models, member)(inputs) for member in range(3)])
    variance = ((guesses - guesses.mean(0)) ** 2).mean(0).mean(1)
    output = reward.evaluate(data)
    torch.testing.assert_close(output.reward, variance.detach())
    assert output.loss is not None
    expected = sum(functional.mse_loss(guess, data["next_obs"]) for guess in guesses)
    torch.testing.assert_close(output.loss, expected)


def test_the_rnd_bonus_is_the_error_in_units_of_its_own_running_deviation():
    torch.manual_seed(0)
    reward = RNDReward(OBS, (8,), 6)
    data = batch(200)
    reward.observe(data)
    x = data["next_obs"]
    x = ((x - x.mean(0)) / x.std(0, correction=0)).clamp(-5, 5)
    error = ((sequential(reward.predictor)(x) - sequential(reward.target)(x)) ** 2).mean(1)
    output = reward.evaluate(data)
    expected = (error / error.std(correction=0)).detach()
    torch.testing.assert_close(output.reward, expected, rtol=1e-4, atol=1e-5)
    torch.testing.assert_close(reward.reward(data), output.reward)
    assert not any(p.requires_grad for p in reward.target.parameters())


def test_running_moments_are_those_of_all_batches_together():
    moments = RunningMoments(3)
    parts = [torch.randn(n, 3) * 3 + 5 for n in (1, 7, 40)]
    for part in parts:
        moments.update(part)
    together = torch.cat(parts)
    torch.testing.assert_close(moments.mean, together.mean(0), rtol=1e-4, atol=1e-5)
    torch.testing.assert_close(moments.std(), together.std(0, correction=0), rtol=1e-4, atol=1e-5)


def test_the_diayn_bonus_is_zero_for_a_discriminator_that_cannot_tell_and_grows_as_it_learns():
    reward = DIAYNReward(Whitening(BOX, [0, 1], None, None), 4, (16,))
    for parameter in reward.discriminator.parameters():
        parameter.data.zero_()
    data = batch(256, skills=4)
    assert reward.reward(data).abs().max() < 1e-6  # log 1/n - log 1/n
    data["next_obs"][:, 0] = data["context"].argmax(1) / 2 - 0.75
    torch.manual_seed(0)
    reward = DIAYNReward(Whitening(BOX, [0, 1], None, None), 4, (16,))
    optimizer = torch.optim.Adam(reward.parameters(), lr=0.02)
    for _step in range(300):
        reward.update(data, optimizer)
    bonus = reward.reward(data).mean().item()
    assert math.log(4) - 0.3 < bonus <= math.log(4)  # the bound: all skills told apart


def test_pseudo_counts_of_a_counting_density_are_its_counts():
    """With cell frequencies N/T the gain is log((N+1)/N · T/(T+1)), in closed form."""
    density = HistogramDensity(1, 0, bins=10)  # starts with one count a cell
    reward = PseudocountReward(density, Whitening(BOX, [0], None, None), 1.0, 0.0)
    state = {"obs": torch.full((1, OBS), 0.35)}
    for visit in range(1, 8):
        bonus = reward.recode(state, None).item()
        count, total = visit, 9 + visit
        gain = math.log((count + 1) / count * total / (total + 1))
        inverse = math.expm1(gain / math.sqrt(visit))
        assert bonus == pytest.approx(math.sqrt(inverse), rel=1e-4)


def test_the_pseudo_count_bonus_of_no_gain_is_zero_and_smoothing_bounds_it():
    density = HistogramDensity(1, 0, bins=10)
    whiten = Whitening(BOX, [0], None, None)
    released = PseudocountReward(density, whiten, 1.0, 0.0)
    smoothed = PseudocountReward(density, whiten, 1.0, 0.01)
    for reward in (released, smoothed):
        reward.steps.fill_(4.0)
        assert reward.bonus(torch.tensor([-2.0, 0.0])).tolist() == [0.0, 0.0]
    gain = torch.tensor([6.0])
    inverse = math.expm1(3.0)
    assert released.bonus(gain).item() == pytest.approx(math.sqrt(inverse), rel=1e-5)
    assert smoothed.bonus(gain).item() == pytest.approx((1 / inverse + 0.01) ** -0.5, rel=1e-5)
    enormous = torch.tensor([1e4])
    assert smoothed.bonus(enormous).item() == pytest.approx(10.0)
    with pytest.raises(FloatingPointError, match="use density='vae_code'"):
        released.bonus(enormous)


def test_recoding_makes_one_adam_step_on_the_new_state_and_compares_like_with_like():
    torch.manual_seed(0)
    density = ReconstructionDensity(OBS, 0, (8,), 3, beta=0.5)
    twin = ReconstructionDensity(OBS, 0, (8,), 3, beta=0.5)
    twin.load_state_dict(density.state_dict())
    reward = PseudocountReward(density, Whitening(BOX, None, None, None), 1.0, 0.0)
    state = {"obs": torch.tensor([[0.5, -0.5, 0.1, 0.9]])}
    bonus = reward.recode(state, torch.optim.Adam(density.parameters(), lr=1e-2))
    optimizer = torch.optim.Adam(twin.parameters(), lr=1e-2)
    x, none, ones = state["obs"], torch.zeros(1, 0), torch.ones(1, 3)
    before = twin.evaluate(x, none, noise=ones)
    before.loss.backward()
    optimizer.step()
    gain = (twin.evaluate(x, none, noise=ones).log_prob - before.log_prob).item()
    assert gain > 0
    assert bonus.item() == pytest.approx(math.sqrt(math.expm1(gain)), rel=1e-4)
    for mine, theirs in zip(density.parameters(), twin.parameters(), strict=True):
        torch.testing.assert_close(mine, theirs)


@pytest.mark.parametrize(
    "reward",
    [
        CountReward(None, 0.5, "log"),
        CountReward(None, 0.5, "inverse_root"),
        ICMReward(OBS, ACTIONS, (32,), 8),
        RNDReward(OBS, (32,), 8),
        DisagreementReward(OBS, ACTIONS, (32,), 4),
    ],
    ids=["count-log", "count-root", "icm", "rnd", "disagreement"],
)
def test_the_bonus_is_larger_for_what_was_never_seen(reward: IntrinsicReward):
    torch.manual_seed(1)
    familiar = batch(256, seed=3)
    familiar["obs"] *= 0.1
    familiar["next_obs"] = familiar["obs"] + 0.05 * familiar["actions"].repeat(1, 2)
    strange = batch(256, seed=4)
    learned = [p for p in reward.parameters() if p.requires_grad]
    optimizer = torch.optim.Adam(learned, lr=3e-3) if learned else None
    for _step in range(200):
        reward.observe(familiar)
        if optimizer is not None:
            reward.update(familiar, optimizer)
    assert reward.reward(strange).mean() > 2 * reward.reward(familiar).mean()
