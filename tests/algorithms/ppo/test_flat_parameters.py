"""One flat parameter learns what its parts would."""

import torch
from torch import nn

from expedition.algorithms.ppo.flat_parameters import FlatParameters


def _net() -> nn.Module:
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(3, 4), nn.Tanh(), nn.Linear(4, 2))


def test_steps_on_the_flat_tensor_are_those_on_the_parameters():
    whole, parts = _net(), _net()
    flat = FlatParameters(list(whole.parameters()))
    assert flat.values.shape == (3 * 4 + 4 + 4 * 2 + 2,)
    one, many = (torch.optim.Adam(p, lr=0.1) for p in ([flat.values], parts.parameters()))
    for seed in range(5):
        x = torch.randn(6, 3, generator=torch.Generator().manual_seed(seed))
        flat.backward(whole(x).square().mean())
        one.step()
        many.zero_grad()
        parts(x).square().mean().backward()
        many.step()
    for first, second in zip(whole.parameters(), parts.parameters(), strict=True):
        torch.testing.assert_close(first, second)


def test_a_restored_state_reaches_the_flat_tensor():
    net = _net()
    flat = FlatParameters(list(net.parameters()))
    net.load_state_dict({name: torch.full_like(p, 2.0) for name, p in net.state_dict().items()})
    assert (flat.values == 2.0).all()
