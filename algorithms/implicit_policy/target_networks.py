"""Target networks: slow copies of others, and the value that is bootstrapped from them."""

import copy
from collections.abc import Sequence
from typing import TypeVar

import torch
from torch import Tensor, nn

from expedition.algorithms.core.replay import Batch

Network = TypeVar("Network", bound=nn.Module)


def frozen_copy(network: Network) -> Network:
    """A copy that no gradient reaches."""
    return copy.deepcopy(network).requires_grad_(False)


def bootstrapped(batch: Batch, next_values: Tensor, gamma: float) -> Tensor:
    """Target r + γ (1 - d) V(s') ``[B]``: d marks true ends, not those by the time limit."""
    return torch.addcmul(batch["rewards"], 1 - batch["terminateds"], next_values, value=gamma)


class TargetNetworks:
    """Pairs of networks and their targets.

    Args:
        online: What is learned.
        targets: Their copies, in the same order.
    """

    def __init__(self, online: Sequence[nn.Module], targets: Sequence[nn.Module]) -> None:
        self._online = [p.detach() for network in online for p in network.parameters()]
        self._targets = [p.detach() for network in targets for p in network.parameters()]

    def copy(self) -> None:
        """Make the targets equal."""
        torch._foreach_copy_(self._targets, self._online)

    def follow(self, rate: float) -> None:
        """Move the targets by the share ``rate`` of the way."""
        torch._foreach_lerp_(self._targets, self._online, rate)
