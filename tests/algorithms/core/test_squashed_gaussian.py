import torch
from torch.distributions import Normal, TanhTransform, TransformedDistribution

from expedition.algorithms.core import squashed_gaussian


def test_log_density_matches_torch_distributions_in_double_precision():
    torch.manual_seed(0)
    mean = torch.randn(64, 3, dtype=torch.float64)
    log_std = torch.randn(64, 3, dtype=torch.float64) - 2
    noise = torch.randn(64, 3, dtype=torch.float64)
    sample = squashed_gaussian.sample(mean, log_std, noise)
    reference = TransformedDistribution(Normal(mean, log_std.exp()), [TanhTransform()])
    torch.testing.assert_close(sample.log_prob, reference.log_prob(sample.action).sum(-1))


def test_density_integrates_to_one():
    mean, log_std = torch.tensor([[0.7]]), torch.tensor([[-0.5]])
    grid = torch.linspace(-0.99999, 0.99999, 200_001)[:, None]
    noise = (torch.atanh(grid.double()) - mean) / log_std.exp()
    log_prob = squashed_gaussian.sample(mean.double(), log_std.double(), noise).log_prob
    mass = torch.trapezoid(log_prob.exp(), grid[:, 0].double())
    assert abs(mass.item() - 1) < 1e-3


def test_far_out_samples_stay_finite_with_finite_gradients():
    mean = torch.tensor([[30.0]], requires_grad=True)
    sample = squashed_gaussian.sample(mean, torch.zeros(1, 1), torch.zeros(1, 1))
    sample.log_prob.sum().backward()
    # log(1 - tanh(30)^2) = 2 (log 2 - 30) up to 1e-26
    assert abs(sample.log_prob.item() - (-0.9189385 + 60 - 1.3862944)) < 1e-4
    assert torch.isfinite(mean.grad).all()
