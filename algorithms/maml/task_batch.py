"""Steps of many tasks as tensors, ready for policy gradients."""

from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from expedition.algorithms.core.episodes import EpisodeBatch
from expedition.algorithms.core.linear_baseline import standardised


class TaskBatch(NamedTuple):
    """Steps of M tasks, B each at most: a task with fewer is padded and masked.

    Attributes:
        obs: ``[M, B, obs]``.
        actions: ``[M, B, action]``.
        advantages: ``[M, B]``, standardised within a task.
        mask: ``[M, B]``, 1 for a step that was made and 0 for padding.
    """

    obs: Tensor
    actions: Tensor
    advantages: Tensor
    mask: Tensor

    def task_means(self, values: Tensor) -> Tensor:
        """Mean over a task's own steps: ``[M, B] -> [M]``."""
        return (values * self.mask).sum(1) / self.mask.sum(1)


def task_batch(
    episodes: EpisodeBatch, raw_advantages: np.ndarray, device: torch.device | None = None
) -> TaskBatch:
    """Lay the episodes of each task side by side, in float32.

    Args:
        episodes: K of each of M tasks.
        raw_advantages: ``[M, K, T]``, not standardised.
        device: Where to.
    """
    advantages = standardised(raw_advantages, episodes.mask)
    columns = (episodes.obs, episodes.actions, advantages, episodes.mask)
    return TaskBatch(*(steps(column, device) for column in columns))


def steps(column: np.ndarray, device: torch.device | None = None) -> Tensor:
    """A column ``[M, K, T, ...]`` as float32 ``[M, K T, ...]``."""
    flat = column.reshape(len(column), -1, *column.shape[3:])
    return torch.as_tensor(flat, dtype=torch.float32, device=device)
