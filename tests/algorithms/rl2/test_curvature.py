"""The written-out curvature product of the recurrent policy, against autograd's."""

import pytest
import torch

from expedition.algorithms.core.gaussian_policy import MIN_LOG_STD
from expedition.algorithms.core.trust_region import FisherProduct
from expedition.algorithms.rl2.curvature import RecurrentFisher
from expedition.algorithms.rl2.policy import RecurrentPolicy

OBS, ACTIONS, STEPS, TRIALS = 3, 2, 7, 4


def make(dtype: torch.dtype) -> tuple[RecurrentPolicy, torch.Tensor, torch.Tensor]:
    """A policy with no number at zero, inputs, and weights of which a third is zero."""
    torch.manual_seed(0)
    policy = RecurrentPolicy(OBS, ACTIONS, hidden_size=5).to(dtype)
    with torch.no_grad():
        for parameter in policy.parameters():
            parameter += 0.3 * torch.randn_like(parameter)
    weights = torch.rand(STEPS, TRIALS, dtype=dtype) * (torch.rand(STEPS, TRIALS) > 0.3)
    return policy, torch.randn(STEPS, TRIALS, OBS + ACTIONS + 2, dtype=dtype), weights


def by_autograd(
    policy: RecurrentPolicy, inputs: torch.Tensor, weights: torch.Tensor
) -> FisherProduct:
    own = {name: value.detach().requires_grad_() for name, value in policy.named_parameters()}
    now = policy.distribution(own, inputs)
    shares = weights.unsqueeze(-1)
    information = [shares * (-2 * now.log_std).exp(), 2 * shares.sum().reshape(1, 1, 1)]
    return FisherProduct(now, information, list(own.values()))


@pytest.mark.parametrize(("dtype", "error"), [(torch.float64, 1e-12), (torch.float32, 1e-5)])
@pytest.mark.parametrize("trials", [TRIALS, 2])
def test_it_is_autograds_matrix(dtype: torch.dtype, error: float, trials: int):
    policy, inputs, weights = make(dtype)
    inputs, weights = inputs[:, :trials], weights[:, :trials]
    slow, quick = by_autograd(policy, inputs, weights), RecurrentFisher(policy, inputs, weights)
    size = sum(parameter.numel() for parameter in policy.parameters())
    for vector in torch.randn(4, size, dtype=torch.float64):
        torch.testing.assert_close(quick(vector), slow(vector), rtol=error, atol=error)


def test_a_deviation_on_its_floor_has_no_curvature():
    policy, inputs, weights = make(torch.float64)
    with torch.no_grad():
        policy.log_std[..., 0] = MIN_LOG_STD - 1
    vector = torch.zeros(sum(parameter.numel() for parameter in policy.parameters())).double()
    vector[:2] = 1.0  # the deviations come first
    product = RecurrentFisher(policy, inputs, weights)(vector)
    assert product[0] == 0
    torch.testing.assert_close(product[1], 2 * weights.sum())
    assert not product[2:].any()
