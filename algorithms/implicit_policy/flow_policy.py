"""A coupling flow as a policy: densities for learning, draws for acting."""

import numpy as np
import torch
from torch import Tensor, nn

from expedition.algorithms.implicit_policy.flow import CouplingFlow
from expedition.algorithms.ppo.policy import Draw


class FlowPolicy(nn.Module):
    """a = f(L(o), ε): a coupling flow whose translation L is a net of the observation.

    If the flow has a context, that is the observation.

    Args:
        state_net: L, ``[B, obs] -> [B, m]``.
        flow: f.
    """

    def __init__(self, state_net: nn.Module, flow: CouplingFlow) -> None:
        super().__init__()
        self.state_net, self.flow = state_net, flow

    def draw(self, obs: Tensor, noise: Tensor) -> Draw:
        """See ``DensityPolicy.draw``."""
        return Draw(*self.flow(noise, *self.conditions(obs)))

    def conditions(self, obs: Tensor) -> tuple[Tensor, Tensor | None]:
        """What the flow is told of the state: L(o) ``[B, m]``, and its context if it has one."""
        return self.state_net(obs), obs if self.flow.context_dim else None

    def mode(self, obs: Tensor) -> Tensor | None:
        """None: a policy with several modes always draws, as the released code does."""
        return None

    def forward(self, obs: Tensor, raw: Tensor) -> Tensor:
        """``log_prob``."""
        return self.log_prob(obs, raw)

    def log_prob(self, obs: Tensor, raw: Tensor) -> Tensor:
        """See ``DensityPolicy.log_prob``."""
        return self.flow.log_prob(raw, *self.conditions(obs))

    def entropy(self, obs: Tensor, noise: Tensor) -> Tensor:
        """Minus the mean log density of fresh draws, with the gradient through the draws."""
        shift, context = self.conditions(obs)
        draws = len(noise) // len(obs)
        context = context if context is None else context.repeat(draws, 1)
        return -self.flow(noise, shift.repeat(draws, 1), context).log_prob.mean()

    def statistics(self, obs: Tensor, raw: Tensor) -> dict[str, Tensor]:
        """``log_scale``: mean |s|; ``largest_noise``: max |ε|, which is large in density holes."""
        noise, scales = self.flow.inverse(raw, *self.conditions(obs))
        sizes = torch.cat(scales, -1).abs().mean() if scales else torch.zeros(())
        return {"log_scale": sizes, "largest_noise": noise.abs().max()}


class ActingFlow:
    """The same policy for a sampler of episodes, in one task (M = 1).

    Args:
        policy: Its parameters are used as they are.
    """

    def __init__(self, policy: FlowPolicy) -> None:
        self._policy = policy

    @torch.no_grad()
    def draw(self, obs: np.ndarray, noise: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """L(o) and raw actions; see ``Actor.draw``."""
        shift, context = self._policy.conditions(torch.from_numpy(obs[0]))
        raw = self._policy.flow(torch.from_numpy(noise[0]).float(), shift, context).raw
        return shift.numpy()[None], raw.numpy()[None]
