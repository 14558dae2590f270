"""The Bayesian network against linear-Gaussian closed forms, autograd and Monte Carlo."""

import math

import pytest
import torch
from torch import Tensor
from torch.distributions import Normal, kl_divergence
from torch.nn.functional import softplus

from expedition.algorithms.vime.bayesian_network import BayesianNetwork


def network(*sizes: int, std: float = 0.5, likelihood_std: float = 5.0) -> BayesianNetwork:
    torch.manual_seed(0)
    return BayesianNetwork(sizes, std, likelihood_std).double()


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def normal(*shape: int, seed: int = 1) -> Tensor:
    return torch.randn(*shape, generator=generator(seed), dtype=torch.float64)


def gain(model: BayesianNetwork, x: Tensor, y: Tensor, step: float, samples: int = 10) -> Tensor:
    """Of a single model's rows ``[B, ...]``."""
    return model.information_gain(
        x[None], y[None], step=step, num_samples=samples, generator=generator()
    )[0]


def test_gain_of_a_linear_model_is_its_closed_form():
    """Of the means alone: ½ λ² Σ_ij σ_ij² x_i² r_j² / s⁴, where weights are all but certain."""
    model = network(3, 2, std=1e-5, likelihood_std=0.7)
    x, y = normal(4, 3), normal(4, 2, seed=2)
    inputs = torch.cat((x, torch.ones(4, 1)), 1)
    residual = y - inputs @ model.means[0][0]
    # Averaged over many samples the noise pulls the deviations nowhere.
    ours = gain(model, x, y, 0.3, samples=20_000)
    expected = 0.5 * 0.3**2 * 1e-10 * inputs.square().sum(1) * residual.square().sum(1) / 0.7**4
    torch.testing.assert_close(ours, expected.detach(), rtol=1e-3, atol=0)


def test_gain_of_one_full_step_is_that_of_exact_bayesian_inference():
    """A conjugate posterior moves by the same information where one sample says little."""
    std, likelihood_std = 0.5, 60.0
    model = network(3, 1, std=std, likelihood_std=likelihood_std)
    x, y = normal(1, 3), torch.full((1, 1), 300.0, dtype=torch.float64)
    inputs = torch.cat((x, torch.ones(1, 1)), 1)[0]
    spread = std**2 * inputs.square().sum() / likelihood_std**2  # prior over noise variance
    residual = (y - inputs @ model.means[0][0]).item()
    # KL(posterior ‖ prior) of Bayesian linear regression with one observation.
    from_mean = spread * residual**2 / likelihood_std**2 / (1 + spread) ** 2
    exact = 0.5 * (from_mean - spread / (1 + spread) + torch.log1p(spread))
    ours = gain(model, x, y, 1.0, samples=20_000)
    assert ours.item() == pytest.approx(exact.item(), rel=0.02)


def test_gain_is_the_quadratic_form_of_autograd_s_gradients():
    model = network(3, 5, 2)
    x, y = normal(4, 3), normal(4, 2, seed=2)
    ours = gain(model, x, y, 0.01)
    noise = generator()
    passes = model._passes(x[None], 10, noise)
    for row in range(4):
        error = (passes[-1].output[0, :, row] - y[row]) / model.likelihood_std
        loss = 0.5 * error.square().sum(-1).mean()
        gradients = torch.autograd.grad(loss, [*model.means, *model.rhos], retain_graph=True)
        total = 0.0
        for i, rho in enumerate(model.rhos):
            variance = softplus(rho).square()
            curvature = 2 * torch.exp(2 * rho) / ((1 + torch.exp(rho)) ** 2 * variance)
            total += (gradients[i].square() * variance).sum()
            total += (gradients[len(model.means) + i].square() / curvature).sum()
        assert ours[row].item() == pytest.approx(0.5 * 0.01**2 * total.item())


def test_gain_is_the_true_divergence_after_a_small_step():
    model = network(2, 4, 1)
    x, y = normal(1, 2), normal(1, 1, seed=2)
    step = 1e-3
    ours = gain(model, x, y, step).item()
    before = [
        Normal(m.detach(), softplus(r).detach())
        for m, r in zip(model.means, model.rhos, strict=True)
    ]
    loss = -model.log_likelihood(x[None], y[None], 10, generator()).sum()
    gradients = torch.autograd.grad(loss, [*model.means, *model.rhos])
    total = 0.0
    for i, old in enumerate(before):
        slope = torch.sigmoid(model.rhos[i])
        mean = old.loc - step * gradients[i] * old.scale**2
        rho = model.rhos[i] - step * gradients[len(before) + i] * old.scale**2 / (2 * slope**2)
        total += kl_divergence(Normal(mean, softplus(rho)), old).sum().item()
    assert ours == pytest.approx(total, rel=1e-3)


def test_divergence_from_the_prior_is_torch_s():
    model = network(3, 4, 2, std=0.5)
    with torch.no_grad():
        model.rhos[0].add_(normal(1, 4, 4))
    expected = sum(
        kl_divergence(Normal(mean, softplus(rho)), Normal(0.0, 0.5)).sum()
        for mean, rho in zip(model.means, model.rhos, strict=True)
    )
    assert model.divergence().item() == pytest.approx(expected.item())


def test_sampled_outputs_have_the_moments_of_sampled_weights():
    model = network(3, 2)
    x = normal(1, 3)
    outputs = model(x[None], 200_000, generator())[0, :, 0]
    inputs = torch.cat((x, torch.ones(1, 1)), 1)[0]
    torch.testing.assert_close(outputs.mean(0), inputs @ model.means[0][0], rtol=0, atol=0.01)
    variance = inputs.square() @ softplus(model.rhos[0][0]).square()
    torch.testing.assert_close(outputs.var(0), variance, rtol=0.02, atol=0)


def test_posterior_starts_as_wide_as_the_prior():
    model = network(3, 4, 2, std=0.5)
    assert all(torch.allclose(softplus(rho), torch.full_like(rho, 0.5)) for rho in model.rhos)
    means = torch.cat([mean.flatten() for mean in network(100, 100, 100).means])
    assert means.std().item() == pytest.approx(1.0, abs=0.02)


def test_log_likelihood_is_a_normal_density():
    model = network(2, 1, std=1e-6, likelihood_std=2.0)
    x, y = normal(3, 2), normal(3, 1, seed=2)
    mean = torch.cat((x, torch.ones(3, 1)), 1) @ model.means[0][0]
    expected = -0.5 * ((y - mean) / 2) ** 2 - math.log(2) - 0.5 * math.log(2 * math.pi)
    actual = model.log_likelihood(x[None], y[None], 1, generator())[0]
    torch.testing.assert_close(actual, expected[:, 0].detach(), rtol=1e-5, atol=0)


def test_models_evaluated_together_are_independent():
    torch.manual_seed(0)
    both = BayesianNetwork((3, 4, 2), models=2).double()
    x, y = normal(2, 5, 3), normal(2, 5, 2, seed=2)
    for index in range(2):
        alone = network(3, 4, 2)
        with torch.no_grad():
            for ours, theirs in zip(alone.parameters(), both.parameters(), strict=True):
                ours.copy_(theirs[index : index + 1])
        # Without sampling noise: the same numbers for the same weights.
        for model in (alone, both):
            with torch.no_grad():
                for rho in model.rhos:
                    rho.fill_(-60.0)
        each = alone.log_likelihood(x[index : index + 1], y[index : index + 1], 1, generator())
        together = both.log_likelihood(x, y, 1, generator())
        torch.testing.assert_close(together[index], each[0])
        torch.testing.assert_close(both.divergence()[index], alone.divergence()[0])
