"""Uniform replay of transitions in one preallocated tensor on the learner's device."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from torch import Tensor

Batch = dict[str, Tensor]


def transition_layout(obs_dim: int, action_dim: int, context_dim: int) -> dict[str, int | None]:
    """Columns of a transition and their widths; ``None`` is a scalar column."""
    layout: dict[str, int | None] = {
        "obs": obs_dim,
        "actions": action_dim,
        "rewards": None,
        "next_obs": obs_dim,
        "terminateds": None,
        "truncateds": None,
    }
    if context_dim:
        layout["context"] = context_dim
    return layout


class TransitionReplay:
    """A ring of transitions; a batch is one gather, its columns are views into it.

    A transition is one row of a float32 tensor ``[capacity, width]``, so that drawing a batch
    touches memory once however many columns there are. The operating system hands out the memory
    as rows are written: an unfilled buffer costs nothing.

    Args:
        capacity: Rows kept; the oldest are overwritten.
        layout: Column widths in order, ``None`` for a scalar column.
        device: Where rows live and batches are drawn.
        seed: Of the index generator.
    """

    def __init__(
        self,
        capacity: int,
        layout: Mapping[str, int | None],
        device: torch.device | str = "cpu",
        seed: int = 0,
    ) -> None:
        self.capacity = capacity
        self.layout = dict(layout)
        self.device = torch.device(device)
        self._spans: dict[str, slice] = {}
        width = 0
        for name, columns in self.layout.items():
            self._spans[name] = slice(width, width + (columns or 1))
            width += columns or 1
        self._rows = torch.empty(capacity, width, dtype=torch.float32, device=self.device)
        self._generator = torch.Generator(self.device).manual_seed(seed)
        self._position = 0
        self._size = 0

    def __len__(self) -> int:
        return self._size

    def add(self, columns: Mapping[str, np.ndarray]) -> None:
        """Append transitions, overwriting the oldest when full.

        Args:
            columns: Every column of the layout, ``[N, width]`` or ``[N]`` for scalars. Of more
                than ``capacity`` transitions only the newest are kept.
        """
        rows = self._pack(columns)[-self.capacity :]
        head = min(len(rows), self.capacity - self._position)
        self._rows[self._position : self._position + head] = rows[:head]
        self._rows[: len(rows) - head] = rows[head:]
        self._position = (self._position + len(rows)) % self.capacity
        self._size = min(self._size + len(rows), self.capacity)

    def sample(self, batch_size: int) -> Batch:
        """Draw transitions uniformly with replacement.

        Returns:
            Columns ``[batch_size, width]`` (``[batch_size]`` for scalars), float32.

        Raises:
            ValueError: If the buffer is empty.
        """
        if self._size == 0:
            raise ValueError("cannot sample from an empty replay: add transitions first")
        index = torch.randint(
            self._size, (batch_size,), generator=self._generator, device=self.device
        )
        return self._columns(self._rows.index_select(0, index))

    def newest(self, count: int) -> Batch:
        """The last ``count`` transitions added, oldest first."""
        count = min(count, self._size)
        index = torch.arange(self._position - count, self._position, device=self.device)
        return self._columns(self._rows.index_select(0, index % self.capacity))

    @property
    def rows(self) -> np.ndarray:
        """The filled rows ``[size, width]``, a view where they are on the CPU."""
        return self._rows[: self._size].cpu().numpy()

    def state_dict(self) -> dict[str, Any]:
        """Filled rows, write position and generator state."""
        return {
            "rows": self.rows,
            "position": self._position,
            "generator": self._generator.get_state().numpy(),
        }

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Restore what ``state_dict`` returned.

        Raises:
            ValueError: If the rows do not fit this buffer's width or capacity.
        """
        rows = torch.as_tensor(state["rows"])
        if rows.shape[1] != self._rows.shape[1] or len(rows) > self.capacity:
            raise ValueError(
                f"replay of {tuple(rows.shape)} does not fit into {tuple(self._rows.shape)}: "
                "the checkpoint is of another environment, method or replay_capacity"
            )
        self._size = len(rows)
        self._rows[: self._size] = rows
        self._position = int(state["position"])
        self._generator.set_state(torch.as_tensor(state["generator"]))

    def _pack(self, columns: Mapping[str, np.ndarray]) -> Tensor:
        count = len(columns["rewards"])
        rows = torch.empty(count, self._rows.shape[1])
        for name, span in self._spans.items():
            rows[:, span] = torch.as_tensor(columns[name]).reshape(count, -1)
        return rows.to(self.device)

    def _columns(self, rows: Tensor) -> Batch:
        return {
            name: rows[:, span.start] if self.layout[name] is None else rows[:, span]
            for name, span in self._spans.items()
        }
