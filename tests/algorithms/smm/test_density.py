import numpy as np
import pytest
import torch
from gymnasium import spaces

from expedition.algorithms.core.whitening import Whitening
from expedition.algorithms.smm.density import (
    DensityModel,
    ElboDensity,
    HistogramDensity,
    ReconstructionDensity,
)


def hall_positions(count: int, generator: torch.Generator) -> torch.Tensor:
    """Whitened positions in three halls, as an exploring agent leaves them ``[count, 2]``."""
    angle = torch.randint(3, (count,), generator=generator) * (2 * torch.pi / 3)
    radius = torch.rand(count, generator=generator) * 0.9
    across = (torch.rand(count, generator=generator) - 0.5) * 0.08
    x = radius * angle.cos() - across * angle.sin()
    return torch.stack((x, radius * angle.sin() + across * angle.cos()), 1)


def fit(model: DensityModel, data: torch.Tensor, skills: torch.Tensor, steps: int) -> None:
    optimizer = torch.optim.Adam(model.parameters(), 1e-3)
    generator = torch.Generator().manual_seed(1)
    for _ in range(steps):
        index = torch.randint(len(data), (128,), generator=generator)
        loss = model.evaluate(data[index], skills[index], generator).loss
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()


def no_skills(states: torch.Tensor) -> torch.Tensor:
    return states.new_zeros(len(states), 0)


def test_the_bound_of_a_linear_model_approaches_the_exact_density():
    """Encoder and decoder set to a linear-Gaussian model, whose marginal is known."""
    model = ElboDensity(1, 0, (), 1, samples=4000, noise=0.5)
    with torch.no_grad():
        for net in (model.encoder.net, model.decoder):
            for p in net.parameters():
                p.zero_()
        decoder_weight = model.decoder._pairs[0][0]
        decoder_weight.fill_(0.8)  # x = 0.8 c + 0.5 e, so x ~ N(0, 0.64 + 0.25)
        model.encoder.net._pairs[0][1][..., 1].fill_(-1.0)  # a proposal that is not the posterior
    states = torch.linspace(-1.5, 1.5, 7)[:, None]
    generator = torch.Generator().manual_seed(0)
    log_prob = model.evaluate(states, no_skills(states), generator).log_prob
    exact = torch.distributions.Normal(0, 0.89**0.5).log_prob(states[:, 0])
    torch.testing.assert_close(log_prob, exact, atol=0.25, rtol=0)
    assert (log_prob - exact)[3].abs() < 0.03  # at the proposal's mode it is tight


@pytest.mark.slow
def test_the_fitted_bound_comes_near_the_density_of_its_data_and_falls_off_outside():
    generator = torch.Generator().manual_seed(0)
    torch.manual_seed(0)
    data = hall_positions(20_000, generator)
    model = ElboDensity(2, 0, (150, 150), 8, samples=2, noise=0.05)
    fit(model, data, no_skills(data), 2500)
    with torch.no_grad():
        seen = model.evaluate(data[:2000], no_skills(data[:2000]), generator).log_prob
        off = torch.rand(2000, 2, generator=generator) * 2 - 1
        far = off[(off[:, None] - data[:3000]).norm(dim=-1).amin(1) > 0.2]
        unseen = model.evaluate(far, no_skills(far), generator).log_prob
    # Three strips of 0.9 x 0.08 have entropy log 0.216 = -1.53, which bounds the mean from above;
    # blurred by the decoder's width of 0.05 they have log(3 * 0.9 * 0.055 * 4.13) = -0.49.
    assert 0.3 < seen.mean() < 1.53
    assert unseen.mean() < seen.mean() - 5


@pytest.mark.slow
def test_the_released_score_collapses_to_the_distance_from_the_mean_where_theory_says():
    torch.manual_seed(0)
    data = torch.randn(5000, 8) * 0.2
    skills = no_skills(data)
    model = ReconstructionDensity(8, 0, (150, 150), 128, beta=0.5)
    fit(model, data, skills, 1500)
    score = model.evaluate(data, skills).log_prob
    distance = -(data - data.mean(0)).square().sum(1)
    assert np.corrcoef(score, distance)[0, 1] > 0.99  # variance 0.04 < beta * D / 2 = 2
    informative = ReconstructionDensity(8, 0, (150, 150), 128, beta=1e-4)
    fit(informative, data, skills, 1500)
    assert np.corrcoef(informative.evaluate(data, skills).log_prob, distance)[0, 1] < 0.9


def test_the_released_score_is_minus_the_squared_error_over_states_and_skills():
    torch.manual_seed(0)
    model = ReconstructionDensity(2, 3, (8,), 4, beta=0.5)
    with torch.no_grad():
        for p in model.decoder.parameters():
            p.zero_()  # reconstructs zeros
    states, skills = torch.tensor([[0.3, -0.4]]), torch.tensor([[0.0, 1.0, 0.0]])
    output = model.evaluate(states, skills, torch.Generator())
    assert output.log_prob.item() == pytest.approx(-(0.09 + 0.16 + 1))
    mean, log_variance = model.encoder(torch.cat((states, skills), 1))
    kl = -0.5 * (1 + log_variance - mean**2 - log_variance.exp()).sum()
    assert output.loss.item() == pytest.approx((0.5 * kl + 1.25 / 5).item(), rel=1e-5)


def test_the_histogram_counts_each_skill_by_itself():
    model = HistogramDensity(2, 2, bins=4)
    states = torch.tensor([[-0.9, -0.9], [-0.9, -0.8], [0.9, 0.9]])
    skills = torch.tensor([[1.0, 0], [1, 0], [0, 1]])
    model.observe(states, skills)
    log_prob = model.evaluate(states, skills).log_prob
    # 16 cells of area 1/4 start at one count each.
    expected = torch.tensor([3 / 18, 3 / 18, 2 / 17]) * 4
    torch.testing.assert_close(log_prob.exp(), expected)
    other = model.evaluate(states[:1], skills[2:]).log_prob.exp()
    torch.testing.assert_close(other, torch.tensor([1 / 17 * 4]))


def test_the_histogram_integrates_to_one():
    model = HistogramDensity(2, 0, bins=8)
    model.observe(torch.rand(500, 2) * 2 - 1, torch.zeros(500, 0))
    centres = (torch.arange(8) + 0.5) / 4 - 1
    grid = torch.cartesian_prod(centres, centres)
    mass = model.evaluate(grid, no_skills(grid)).log_prob.exp().sum() / 16
    assert mass.item() == pytest.approx(1.0, abs=1e-5)


def test_the_histogram_refuses_many_coordinates():
    with pytest.raises(ValueError, match="at most 3; choose them with state_indices"):
        HistogramDensity(10, 0, 10)


def test_whitening_maps_the_range_to_the_unit_box():
    space = spaces.Box(np.array([-2, 0, -np.inf]), np.array([2, 10, np.inf]), dtype=np.float64)
    whiten = Whitening(space, [0, 1], None, None)
    result = whiten(torch.tensor([[-2.0, 0, 5], [2, 10, 5], [0, 5, 5]]))
    torch.testing.assert_close(result, torch.tensor([[-1.0, -1], [1, 1], [0, 0]]))
    given = Whitening(space, None, [-1, -1, -1], [1, 1, 3])
    torch.testing.assert_close(given(torch.tensor([[1.0, 0, 1]])), torch.tensor([[1.0, 0, 0]]))
    with pytest.raises(ValueError, match="set state_low and state_high"):
        Whitening(space, None, None, None)
    with pytest.raises(ValueError, match="must have 2 entries"):
        Whitening(space, [0, 1], [0.0], [1.0, 2.0])
    with pytest.raises(ValueError, match="3 coordinates, 0 to 2"):
        Whitening(space, [1, 3], None, None)
