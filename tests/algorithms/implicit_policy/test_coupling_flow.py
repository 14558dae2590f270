"""The flow is exact: inverse, density, start, and what one dimension does to it."""

import math

import pytest
import torch
from torch import Tensor
from torch.distributions import Normal

from expedition.algorithms.implicit_policy.flow import CouplingFlow
from expedition.algorithms.implicit_policy.flow_policy import FlowPolicy
from expedition.algorithms.ppo.policy import StateNet


def _trained_looking(flow: CouplingFlow, seed: int = 0, size: float = 0.5) -> CouplingFlow:
    """Parameters far from the start, in float64."""
    generator = torch.Generator().manual_seed(seed)
    flow.double()
    with torch.no_grad():
        for parameter in flow.parameters():
            parameter += size * torch.randn(
                parameter.shape, generator=generator, dtype=torch.float64
            )
    return flow


def _normal(*shape: int, seed: int = 1) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(shape, generator=generator, dtype=torch.float64)


@pytest.mark.parametrize("n_couplings", [4, 8])
@pytest.mark.parametrize("action_dim", [1, 2, 3, 6, 8])
@pytest.mark.parametrize("bound", [None, 2.0])
def test_inverse_undoes_forward_in_float32(action_dim, n_couplings, bound):
    torch.manual_seed(0)
    flow = CouplingFlow(action_dim, n_couplings, log_scale_bound=bound, init_std=0.7)
    flow = _trained_looking(flow, size=0.1).float()
    noise, shift = _normal(200, action_dim).float(), _normal(200, action_dim, seed=2).float()
    recovered, _ = flow.inverse(flow(noise, shift).raw, shift)
    torch.testing.assert_close(recovered, noise, atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("squash", [False, True])
@pytest.mark.parametrize("context_dim", [0, 3])
@pytest.mark.parametrize("action_dim", [1, 2, 3, 6])
def test_density_is_that_of_the_autograd_jacobian(action_dim, context_dim, squash):
    flow = CouplingFlow(
        action_dim, 4, init_std=0.5, squash=squash, context_dim=context_dim, log_scale_bound=2.0
    )
    _trained_looking(flow)
    shift = _normal(1, action_dim, seed=2)
    context = _normal(1, context_dim, seed=3) if context_dim else None
    for noise in _normal(5, 1, action_dim):

        def action(eps: Tensor) -> Tensor:
            return flow.to_action(flow(eps[None], shift, context).raw)[0]

        jacobian = torch.autograd.functional.jacobian(action, noise[0])
        expected = Normal(0.0, 1.0).log_prob(noise).sum() - torch.linalg.slogdet(jacobian)[1]
        raw, log_prob = flow(noise, shift, context)
        torch.testing.assert_close(log_prob[0], expected)
        torch.testing.assert_close(flow.log_prob(raw, shift, context)[0], expected)


@pytest.mark.parametrize("squash", [False, True])
def test_density_in_the_plane_integrates_to_one(squash):
    torch.manual_seed(0)
    flow = _trained_looking(CouplingFlow(2, 4, squash=squash, log_scale_bound=1.0), size=0.3)
    shift = torch.tensor([[0.3, -0.2]], dtype=torch.float64)
    steps = 600
    width = 1.0 if squash else 25.0
    edges = torch.linspace(-width, width, steps + 1, dtype=torch.float64)
    middles = (edges[1:] + edges[:-1]) / 2
    grid = torch.cartesian_prod(middles, middles)
    with torch.no_grad():
        log_prob = flow.log_prob(flow.to_raw(grid), shift.expand(len(grid), -1))
    assert (log_prob.exp().sum() * (2 * width / steps) ** 2).item() == pytest.approx(1, abs=0.01)


def test_first_coupling_comes_before_the_state_and_the_others_after_it():
    """By hand: m = 2, K = 2; the log-scale and translation of each coupling are constants."""
    flow = CouplingFlow(2, 2).double()
    constants = [(0.3, 0.1), (-0.2, 0.4)]
    with torch.no_grad():
        for nets, (scale, translation) in zip(flow.couplings, constants, strict=True):
            nets.weight_2.zero_()
            nets.bias_2.copy_(torch.tensor([[[scale]], [[translation]]]))
    noise = torch.tensor([[0.5, -1.0]], dtype=torch.float64)
    shift = torch.tensor([[2.0, 3.0]], dtype=torch.float64)
    first = (0.5 + 2.0) * math.exp(-0.2) + 0.4
    second = -1.0 * math.exp(0.3) + 0.1 + 3.0
    raw, log_prob = flow(noise, shift)
    assert raw[0].tolist() == pytest.approx([first, second])
    expected = -0.5 * (0.25 + 1.0) - math.log(2 * math.pi) - (0.3 - 0.2)
    assert log_prob.item() == pytest.approx(expected)


def test_larger_half_of_an_odd_dimension_is_passed_through_first():
    flow = CouplingFlow(5, 2)
    first, second = flow.couplings
    assert (first.weight_0.shape[1], first.weight_2.shape[2]) == (3, 2)
    assert (second.weight_0.shape[1], second.weight_2.shape[2]) == (2, 3)


def test_actions_are_at_first_normal_with_the_initial_standard_deviation():
    torch.manual_seed(0)
    flow = CouplingFlow(3, 8, init_std=0.4).double()
    noise, shift = _normal(20_000, 3), torch.zeros(20_000, 3, dtype=torch.float64)
    raw, log_prob = flow(noise, shift)
    assert raw.mean(0).tolist() == pytest.approx([0] * 3, abs=0.03)
    torch.testing.assert_close(torch.cov(raw.T) / 0.16, torch.eye(3).double(), atol=0.06, rtol=0)
    expected = Normal(0.0, 0.4).log_prob(raw.detach()).sum(-1)
    assert (log_prob - expected).abs().mean() < 0.05


def test_in_one_dimension_it_is_a_gaussian_whose_spread_ignores_the_state():
    flow = _trained_looking(CouplingFlow(1, 4))
    noise = _normal(100_000, 1)
    spreads = []
    for shift in (0.0, 3.0):
        raw = flow(noise, torch.full_like(noise, shift)).raw.squeeze(1)
        standard = (raw - raw.mean()) / raw.std()
        assert standard.pow(3).mean().item() == pytest.approx(0, abs=0.04)
        assert standard.pow(4).mean().item() - 3 == pytest.approx(0, abs=0.08)
        spreads.append(raw.std().item())
    assert spreads[0] == pytest.approx(spreads[1], rel=1e-9)


def test_couplings_that_see_the_state_let_it_change_the_spread_of_one_action():
    flow = _trained_looking(CouplingFlow(1, 4, context_dim=3))
    policy = FlowPolicy(StateNet((3, 4, 1), "tanh").double(), flow)
    noise, states = _normal(2_000, 1), _normal(2, 3, seed=2)
    spreads = [policy.draw(state.expand(2_000, -1), noise).raw.std().item() for state in states]
    assert abs(math.log(spreads[0] / spreads[1])) > 0.1
    obs = states.repeat(1_000, 1)
    raw, log_prob = policy.draw(obs, noise)
    torch.testing.assert_close(policy.log_prob(obs, raw), log_prob)
    torch.testing.assert_close(policy.entropy(states, noise), -log_prob.mean())
    largest = policy.statistics(obs, raw)["largest_noise"].item()
    assert largest == pytest.approx(noise.abs().max().item())


def test_log_scales_stay_within_their_bound():
    flow = _trained_looking(CouplingFlow(4, 4, log_scale_bound=2.0), size=20.0)
    _, scales = flow.inverse(_normal(100, 4), _normal(100, 4, seed=2))
    assert torch.cat(scales, -1).abs().max() <= 2.0


def test_squashed_actions_turn_into_raw_ones_and_back():
    flow = CouplingFlow(2, squash=True)
    actions = torch.tensor([[-0.9, 0.99], [0.0, 0.5]])
    torch.testing.assert_close(flow.to_action(flow.to_raw(actions)), actions)
    assert torch.isfinite(flow.to_raw(torch.tensor([[1.0, -1.0]]))).all()
