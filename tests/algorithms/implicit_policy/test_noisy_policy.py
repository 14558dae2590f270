"""The noise of the parameters, the dropout that never stops, and the classifier's density ratio."""

import math

import pytest
import torch
from torch import Tensor
from torch.nn import functional

from expedition.algorithms.implicit_policy.classifier import (
    ActionClassifier,
    discrimination_loss,
    entropy_estimate,
)
from expedition.algorithms.implicit_policy.noisy_policy import NoisyLinear, NoisyPolicy


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def test_a_noisy_layer_is_distributed_as_one_whose_weights_are_drawn_for_every_row():
    torch.manual_seed(0)
    layer, rows = NoisyLinear(3, 2, rho=-1.0), 200_000
    x = torch.tensor([0.5, -2.0, 1.0])
    with torch.no_grad():
        drawn = layer(x.expand(rows, 3), torch.randn(rows, 2, generator=seeded()))
        std = math.log1p(math.exp(-1.0))
        weights = layer.weight_mean + std * torch.randn(rows, 3, 2, generator=seeded(1))
        biases = layer.bias_mean + std * torch.randn(rows, 2, generator=seeded(2))
        slow = torch.einsum("i,bio->bo", x, weights) + biases
    expected = std * math.sqrt(0.25 + 4 + 1 + 1)
    for sample in (drawn, slow):
        torch.testing.assert_close(sample.std(0), torch.full((2,), expected), rtol=0.01, atol=0)
        assert abs(torch.corrcoef(sample.T)[0, 1]) < 0.01
    torch.testing.assert_close(drawn.mean(0), slow.mean(0), rtol=0, atol=0.01)


def test_without_noise_it_is_a_perceptron_with_layer_normalisation():
    policy = NoisyPolicy(3, 2, (5, 4), rho=-50.0, dropout=0.0)
    obs = torch.randn(7, 3, generator=seeded())
    x = obs
    for layer, norm in zip(policy.layers[:-1], policy.norms, strict=True):
        x = functional.relu(norm(x @ layer.weight_mean + layer.bias_mean))
    expected = torch.tanh(x @ policy.layers[-1].weight_mean + policy.layers[-1].bias_mean)
    torch.testing.assert_close(policy(obs), expected)


def test_equal_states_get_different_actions_in_eval_mode_and_noise_is_the_generators():
    policy = NoisyPolicy(3, 2).eval()
    obs = torch.ones(2, 3)
    first = policy(obs, seeded())
    assert (first[0] != first[1]).all()
    assert torch.equal(first, policy(obs, seeded()))
    assert not torch.equal(first, policy(obs, seeded(1)))


@pytest.mark.parametrize("rescale", [False, True])
def test_dropout_alone_gives_at_most_two_to_the_number_of_features_actions(rescale: bool):
    torch.manual_seed(3)
    policy = NoisyPolicy(2, 1, (4, 3), rho=-50.0, dropout=0.5, dropout_rescale=rescale)
    obs = torch.ones(4000, 2)
    with torch.no_grad():
        actions = policy(obs, seeded()).double()
        x = obs[:1]
        for layer, norm in zip(policy.layers[:-1], policy.norms, strict=True):
            x = norm(x @ layer.weight_mean + layer.bias_mean).relu()
        masks = torch.cartesian_prod(*[torch.tensor([0.0, 1.0])] * 3)
        last = policy.layers[-1]
        factor = 2.0 if rescale else 1.0
        possible = torch.tanh(factor * masks * x @ last.weight_mean + last.bias_mean).double()
    nearest = (actions - possible.T).abs().amin(1)
    assert nearest.max() < 1e-5
    counts = torch.bincount((actions - possible.T).abs().argmin(1), minlength=8)
    alive = int((x > 0).sum())
    assert (counts > 0).sum() == 2**alive


def test_a_latent_makes_a_policy_random_that_has_no_other_noise():
    silent = {"rho": -50.0, "dropout": 0.0}
    obs = torch.ones(50, 2)
    assert NoisyPolicy(2, 1, **silent)(obs).std() < 1e-6
    assert NoisyPolicy(2, 1, latent_dim=2, **silent)(obs).std() > 1e-2


def test_every_parameter_has_a_gradient_and_the_normalisation_has_no_noise():
    policy = NoisyPolicy(3, 2, (6, 5))
    policy(torch.randn(64, 3), seeded()).square().sum().backward()
    names = dict(policy.named_parameters())
    assert all(parameter.grad.abs().sum() > 0 for parameter in names.values())
    noisy = {name.rsplit(".", 1)[0] for name in names if name.endswith("rho")}
    assert noisy == {"layers.0", "layers.1", "layers.2"}


def test_the_discrimination_loss_is_the_cross_entropy():
    positive, negative = torch.tensor([0.3, -1.0]), torch.tensor([2.0, 0.0])
    expected = -(positive.sigmoid().log().mean() + (-negative).sigmoid().log().mean())
    assert discrimination_loss(positive, negative).item() == pytest.approx(expected.item())


MEAN, STD = 0.3, 0.4


def converged_classifier() -> ActionClassifier:
    """Tells tanh(0.3 + 0.4 ε) from uniform actions; the negatives are a grid, the positives too."""
    torch.manual_seed(0)
    classifier = ActionClassifier(1, 1, (48, 48))
    optimizer = torch.optim.Adam(classifier.parameters(), 1e-2)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, 1500)
    positive = torch.tanh(MEAN + STD * normal_quantiles(512))[:, None]
    negative = torch.linspace(-1, 1, 513)[:-1, None] + 1 / 512
    obs = torch.ones(512, 1)
    for _step in range(1500):
        loss = discrimination_loss(
            classifier.logits(obs, positive), classifier.logits(obs, negative)
        )
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        schedule.step()
    return classifier


def normal_quantiles(count: int) -> Tensor:
    levels = (torch.arange(count) + 0.5) / count
    return math.sqrt(2) * torch.erfinv(2 * levels - 1)


def test_entropy_and_its_gradient_from_a_converged_classifier_are_those_of_the_known_density():
    classifier = converged_classifier()
    noise = normal_quantiles(4096)
    mean, std = (torch.tensor(value, requires_grad=True) for value in (MEAN, STD))
    u = mean + std * noise
    gaussian = 0.5 * math.log(2 * math.pi * math.e) + std.log()
    exact = gaussian + (1 - torch.tanh(u) ** 2).log().mean()
    logits = classifier.logits(torch.ones(4096, 1), torch.tanh(u)[:, None], frozen=True)
    estimate = entropy_estimate(logits, 1)
    assert estimate.item() == pytest.approx(exact.item(), abs=0.02)
    expected = torch.autograd.grad(exact, (mean, std), retain_graph=True)
    found = torch.autograd.grad(-logits.mean(), (mean, std))
    for ours, theirs in zip(found, expected, strict=True):
        assert ours.item() == pytest.approx(theirs.item(), rel=0.08)
