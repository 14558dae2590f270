"""Trajectories to imitate, and their plain Parquet form."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from expedition.algorithms.core.episodes import EpisodeBatch

REQUIRED = ("episode", "observation", "action")
_COLUMNS = ("episode", "step", "observation", "action", "reward", "next_observation")


class DatasetError(ValueError):
    """A dataset is missing, damaged or unfit."""


@dataclass(frozen=True)
class Trajectories:
    """E episodes, one after the other, N steps in all.

    Attributes:
        observations: In which actions were taken, ``[N, obs]`` float32.
        actions: As given to the environment, ``[N, action]`` float32.
        rewards: ``[N]`` float64.
        lengths: Steps of each episode, ``[E]``; they add up to N.
        finals: Observations after the last steps, ``[E, obs]`` float32; NaN where unknown.
    """

    observations: np.ndarray
    actions: np.ndarray
    rewards: np.ndarray
    lengths: np.ndarray
    finals: np.ndarray

    def __post_init__(self) -> None:
        """Check that the arrays belong together.

        Raises:
            DatasetError: If they do not, or observations or actions are not finite.
        """
        steps = len(self.observations)
        if not steps or (self.lengths < 1).any() or self.lengths.sum() != steps:
            raise DatasetError(
                f"{steps} steps in {len(self.lengths)} episodes of {self.lengths.sum()} steps"
            )
        if self.observations.ndim != 2 or self.actions.ndim != 2:
            raise DatasetError("observations and actions must be vectors of numbers")
        if not len(self.actions) == len(self.rewards) == steps or len(self.finals) != self.episodes:
            raise DatasetError("the columns have different numbers of rows")
        if not (np.isfinite(self.observations).all() and np.isfinite(self.actions).all()):
            raise DatasetError("an observation or an action is not finite")

    @property
    def episodes(self) -> int:
        """E."""
        return len(self.lengths)

    @property
    def returns(self) -> np.ndarray:
        """Undiscounted return of each episode, ``[E]``."""
        return np.add.reduceat(self.rewards, self._starts)

    def first(self, episodes: int) -> "Trajectories":
        """The first ``episodes`` of them; all if there are not so many."""
        steps = int(self.lengths[:episodes].sum())
        return Trajectories(
            self.observations[:steps],
            self.actions[:steps],
            self.rewards[:steps],
            self.lengths[:episodes],
            self.finals[:episodes],
        )

    def reached(self) -> Iterator[np.ndarray]:
        """Observations that each episode comes to, ``[steps, obs]``; less the last if unknown."""
        for start, length, final in zip(self._starts, self.lengths, self.finals, strict=True):
            later = self.observations[start + 1 : start + length]
            known = np.isfinite(final).all()
            yield np.concatenate([later, final[None]]) if known else later

    @property
    def _starts(self) -> np.ndarray:
        return np.cumsum(self.lengths) - self.lengths


def pooled(parts: Sequence[Trajectories]) -> Trajectories:
    """Put datasets together.

    Raises:
        DatasetError: If their observations or actions have different sizes.
    """
    widths = {(part.observations.shape[1], part.actions.shape[1]) for part in parts}
    if len(widths) != 1:
        raise DatasetError(
            f"datasets of different sizes (observation, action) do not pool: {sorted(widths)}"
        )
    names = ("observations", "actions", "rewards", "lengths", "finals")
    return Trajectories(*(np.concatenate([getattr(p, name) for p in parts]) for name in names))


def from_batch(batch: EpisodeBatch) -> Trajectories:
    """The episodes of a sampled batch, whose actions must have been within the bounds."""
    mask = batch.mask
    return Trajectories(
        batch.obs[mask],
        batch.actions[mask],
        batch.rewards[mask],
        batch.lengths.reshape(-1),
        batch.last_obs.reshape(-1, batch.last_obs.shape[-1]),
    )


def write_parquet(trajectories: Trajectories, path: Path) -> None:
    """Write one row a step; see ``read_parquet`` for the columns."""
    lengths = trajectories.lengths
    following = np.concatenate([trajectories.observations[1:], trajectories.finals[-1:]])
    following[np.cumsum(lengths) - 1] = trajectories.finals
    step = np.arange(len(trajectories.rewards)) - np.repeat(np.cumsum(lengths) - lengths, lengths)
    values = {
        "episode": np.repeat(np.arange(len(lengths)), lengths),
        "step": step,
        "observation": _lists(trajectories.observations),
        "action": _lists(trajectories.actions),
        "reward": trajectories.rewards,
        "next_observation": _lists(following),
    }
    path.parent.mkdir(parents=True, exist_ok=True)
    pq.write_table(pa.table({name: values[name] for name in _COLUMNS}), path)


def read_parquet(path: Path) -> Trajectories:
    """Read trajectories.

    Columns, one row a step, in the order of time within an episode:

    - ``episode``: which one, a whole number; the rows of one follow each other.
    - ``observation``, ``action``: lists of numbers, always of the same length.
    - ``reward``: a number; 0 without the column.
    - ``next_observation``: as ``observation``; needed at the end of an episode alone, and there for
      no more than showing where it ended.

    Other columns are left alone.

    Raises:
        DatasetError: If there is no such file, or a column is missing or of another kind.
    """
    try:
        table = pq.read_table(path)
    except (OSError, pa.ArrowInvalid) as error:
        raise DatasetError(f"{path} is not a Parquet file that can be read: {error}") from error
    missing = [name for name in REQUIRED if name not in table.column_names]
    if missing:
        raise DatasetError(
            f"{path} has no column {', '.join(missing)}; it has {', '.join(table.column_names)}"
        )
    episode = table["episode"].to_numpy()
    last = np.append(np.flatnonzero(episode[1:] != episode[:-1]), len(episode) - 1)
    if len(np.unique(episode)) != len(last):
        raise DatasetError(f"{path}: the rows of an episode must follow each other")
    observations = _matrix(table, "observation", path)
    finals = np.full((len(last), observations.shape[1]), np.nan, np.float32)
    if "next_observation" in table.column_names:
        finals = _matrix(table.take(last), "next_observation", path)
    rewards = table["reward"].to_numpy() if "reward" in table.column_names else episode * 0.0
    return Trajectories(
        observations,
        _matrix(table, "action", path),
        np.asarray(rewards, np.float64),
        np.diff(last, prepend=-1),
        finals,
    )


def _lists(rows: np.ndarray) -> pa.Array:
    flat = pa.array(np.ascontiguousarray(rows, dtype=np.float32).reshape(-1))
    return pa.FixedSizeListArray.from_arrays(flat, rows.shape[1]).cast(pa.list_(pa.float32()))


def _matrix(table: pa.Table, name: str, path: Path) -> np.ndarray:
    """A column of equally long lists as ``[rows, width]``."""
    column = table[name].combine_chunks()
    kind = column.type
    is_lists = (
        pa.types.is_list(kind) or pa.types.is_large_list(kind) or pa.types.is_fixed_size_list(kind)
    )
    widths = pc.unique(pc.list_value_length(column)).to_pylist() if is_lists else []
    if len(widths) != 1 or not widths[0]:
        raise DatasetError(f"{path}: column {name} must hold lists of numbers, all of one length")
    flat = column.flatten().to_numpy(zero_copy_only=False)
    return flat.astype(np.float32).reshape(table.num_rows, -1)
