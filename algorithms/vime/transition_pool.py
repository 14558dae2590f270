"""What the dynamics model learns from: the newest transitions, and their mean and spread."""

from typing import NamedTuple

import torch
from torch import Tensor

_MIN_STD = 1e-8


class Standardiser(NamedTuple):
    """Mean and standard deviation of every coordinate of observations and of actions."""

    obs_mean: Tensor
    obs_std: Tensor
    action_mean: Tensor
    action_std: Tensor

    def inputs(self, obs: Tensor, actions: Tensor) -> Tensor:
        """The model's inputs ``[B, obs + action]``."""
        action = (actions - self.action_mean) / (self.action_std + _MIN_STD)
        return torch.cat((self.targets(obs), action), -1)

    def targets(self, next_obs: Tensor) -> Tensor:
        """The model's targets ``[B, obs]``."""
        return (next_obs - self.obs_mean) / (self.obs_std + _MIN_STD)


class TransitionPool:
    """A ring of whole transitions: none joins the end of an episode to the start of the next.

    Args:
        capacity: Transitions kept.
        obs_dim: Size of an observation.
        action_dim: Size of an action.
    """

    def __init__(self, capacity: int, obs_dim: int, action_dim: int) -> None:
        self.capacity = capacity
        self.size = 0
        self._next = 0
        self._obs = torch.empty(capacity, obs_dim)
        self._actions = torch.empty(capacity, action_dim)
        self._next_obs = torch.empty(capacity, obs_dim)

    def add(self, obs: Tensor, actions: Tensor, next_obs: Tensor) -> None:
        """Add ``[B, ...]`` transitions in place of the oldest; of more than fit, the last."""
        added = len(obs)
        index = (self._next + torch.arange(added)) % self.capacity
        kept = slice(max(0, added - self.capacity), None)
        columns = ((self._obs, obs), (self._actions, actions), (self._next_obs, next_obs))
        for column, values in columns:
            column[index[kept]] = values[kept].to(column.dtype)
        self._next = (self._next + added) % self.capacity
        self.size = min(self.size + added, self.capacity)

    def draw(self, count: int, generator: torch.Generator) -> tuple[Tensor, Tensor, Tensor]:
        """``count`` transitions, uniformly: observations, actions, next observations."""
        index = torch.randint(self.size, (count,), generator=generator)
        return self._obs[index], self._actions[index], self._next_obs[index]

    def standardiser(self) -> Standardiser:
        """Statistics of what is in the pool."""
        obs, actions = self._obs[: self.size], self._actions[: self.size]
        return Standardiser(
            obs.mean(0), obs.std(0, correction=0), actions.mean(0), actions.std(0, correction=0)
        )

    def state_dict(self) -> dict[str, Tensor | int]:
        """The transitions in use and where the ring stands."""
        columns = {"obs": self._obs, "actions": self._actions, "next_obs": self._next_obs}
        used = {name: column[: self.size].clone() for name, column in columns.items()}
        return {**used, "size": self.size, "next": self._next}

    def load_state_dict(self, state: dict[str, Tensor | int]) -> None:
        """Restore what ``state_dict`` returned."""
        self.size, self._next = int(state["size"]), int(state["next"])
        columns = {"obs": self._obs, "actions": self._actions, "next_obs": self._next_obs}
        for name, column in columns.items():
            column[: self.size] = torch.as_tensor(state[name])
