"""What the dynamics models learn from: the newest transitions, and their mean and spread."""

from typing import Any, NamedTuple

import torch
from torch import Tensor

_MIN_STD = 1e-8
_CONSTANT = 1e-4  # a column that varies less, relative to 1 + |mean|, is not scaled up


class Transitions(NamedTuple):
    """Of M tasks, B each: ``obs``, ``next_obs`` ``[M, B, obs]``, ``actions`` ``[M, B, action]``."""

    obs: Tensor
    actions: Tensor
    next_obs: Tensor


class Standardiser(NamedTuple):
    """Mean and standard deviation of each task's observations and actions, ``[M, 1, ...]``."""

    obs_mean: Tensor
    obs_std: Tensor
    action_mean: Tensor
    action_std: Tensor

    def inputs(self, batch: Transitions) -> Tensor:
        """The models' inputs ``[M, B, obs + action]``."""
        obs = (batch.obs - self.obs_mean) / self.obs_std
        return torch.cat((obs, (batch.actions - self.action_mean) / self.action_std), -1)

    def targets(self, batch: Transitions) -> Tensor:
        """The models' targets ``[M, B, obs]``."""
        return (batch.next_obs - self.obs_mean) / self.obs_std


class TransitionPool:
    """A ring of transitions for each of M tasks.

    Transitions are kept whole, so that none joins the end of an episode to the start of the next.

    Args:
        tasks: M.
        capacity: Transitions kept of each.
        obs_dim: Size of an observation.
        action_dim: Size of an action.
    """

    def __init__(self, tasks: int, capacity: int, obs_dim: int, action_dim: int) -> None:
        self.capacity = capacity
        self.added = torch.zeros(tasks, dtype=torch.long)  # of each task, ever
        self._columns = Transitions(
            *(torch.empty(tasks, capacity, size) for size in (obs_dim, action_dim, obs_dim))
        )

    @property
    def sizes(self) -> Tensor:
        """Transitions of each task in the pool ``[M]``."""
        return self.added.clamp_max(self.capacity)

    def add(self, batch: Transitions, mask: Tensor) -> None:
        """Add the transitions with a true ``mask`` ``[M, B]`` in place of the oldest."""
        for task, made in enumerate(mask):
            count = int(made.sum())
            index = (self.added[task] + torch.arange(count)) % self.capacity
            kept = slice(max(0, count - self.capacity), None)
            for column, values in zip(self._columns, batch, strict=True):
                column[task, index[kept]] = values[task, made][kept].to(column.dtype)
            self.added[task] += count

    def draw(self, count: int, generator: torch.Generator) -> Transitions:
        """``count`` transitions of each task, uniformly."""
        uniform = torch.rand(len(self.added), count, generator=generator, dtype=torch.float64)
        index = (uniform * self.sizes[:, None]).long()
        task = torch.arange(len(index))[:, None]
        return Transitions(*(column[task, index] for column in self._columns))

    def standardiser(self) -> Standardiser:
        """Statistics of what is in the pool."""
        statistics = [
            torch.stack(
                [function(each[:size]) for each, size in zip(column, self.sizes, strict=True)]
            )
            for column in (self._columns.obs, self._columns.actions)
            for function in (_mean, _std)
        ]
        return Standardiser(*statistics)

    def state_dict(self) -> dict[str, Any]:
        """The transitions in use and where the rings stand."""
        used = int(self.sizes.max())
        columns = {k: v[:, :used].clone() for k, v in self._columns._asdict().items()}
        return {**columns, "added": self.added.clone()}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Restore what ``state_dict`` returned."""
        self.added = torch.as_tensor(state["added"]).clone()
        for name, column in self._columns._asdict().items():
            values = torch.as_tensor(state[name])
            column[:, : values.shape[1]] = values


def _mean(rows: Tensor) -> Tensor:
    return rows.mean(0, keepdim=True)


def _std(rows: Tensor) -> Tensor:
    """1 for a constant column: over the rounding error of its mean, its values would be noise."""
    std = rows.std(0, correction=0, keepdim=True) + _MIN_STD
    return torch.where(std < _CONSTANT * (1 + _mean(rows).abs()), 1.0, std)
