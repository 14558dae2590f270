import pytest
import torch
from torch import nn

from expedition.algorithms.core.networks import MLP, EnsembleMLP


def member_as_sequential(net: EnsembleMLP, member: int) -> nn.Sequential:
    """The same member built from ``torch.nn.Linear``: the slow second implementation."""
    layers: list[nn.Module] = []
    for index, (weight, bias) in enumerate(net._pairs):
        linear = nn.Linear(weight.shape[1], weight.shape[2])
        linear.weight.data = weight[member].detach().T.clone()
        linear.bias.data = bias[member, 0].detach().clone()
        layers.append(linear)
        if index < len(net._pairs) - 1:
            layers.append(nn.ReLU() if net.activation == "relu" else nn.Tanh())
    return nn.Sequential(*layers)


@pytest.mark.parametrize("members", [1, 2, 5])
@pytest.mark.parametrize("activation", ["relu", "tanh"])
def test_an_ensemble_equals_its_members_one_by_one(members: int, activation: str):
    torch.manual_seed(0)
    net = EnsembleMLP(members, (4, 16, 8, 3), activation)
    x = torch.randn(10, 4, requires_grad=True)
    out = net(x)
    out.square().sum().backward()
    grad_x, x.grad = x.grad, None
    expected = torch.zeros_like(x)
    for member in range(members):
        twin = member_as_sequential(net, member)
        y = twin(x)
        torch.testing.assert_close(out[member], y)
        y.square().sum().backward()
        expected += x.grad
        x.grad = None
        weight, bias = net._pairs[1]
        torch.testing.assert_close(weight.grad[member], twin[2].weight.grad.T)
        torch.testing.assert_close(bias.grad[member, 0], twin[2].bias.grad)
    torch.testing.assert_close(grad_x, expected, rtol=1e-4, atol=1e-5)


def test_each_member_can_have_a_batch_of_its_own():
    torch.manual_seed(0)
    net = EnsembleMLP(3, (4, 8, 2))
    x = torch.randn(3, 5, 4)
    out = net(x)
    for member in range(3):
        torch.testing.assert_close(out[member], net(x[member])[member])


def test_a_frozen_pass_gives_gradients_to_the_input_alone():
    net = EnsembleMLP(2, (4, 8, 1))
    x = torch.randn(5, 4, requires_grad=True)
    net(x, frozen=True).sum().backward()
    assert x.grad is not None
    assert all(p.grad is None for p in net.parameters())
    free = torch.autograd.grad(net(x).sum(), x)[0]
    torch.testing.assert_close(x.grad, free)


def test_initial_weights_are_uniform_in_one_over_root_fan_in():
    torch.manual_seed(0)
    net = MLP((400, 500, 2), output_scale=1e-3)
    weight = dict(net.named_parameters())["weight_0"]
    assert weight.abs().max() <= 1 / 20
    assert abs(weight.std().item() - 1 / 20 / 3**0.5) < 1e-3
    assert dict(net.named_parameters())["weight_1"].abs().max() <= 1e-3
