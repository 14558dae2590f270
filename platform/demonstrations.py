"""Trajectories of trained algorithms, for others to imitate."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from expedition.platform.errors import UserError
from expedition.platform.evaluation import open_checkpoint, restored

if TYPE_CHECKING:
    from expedition.algorithms.core.rollout import Episode
    from expedition.algorithms.implicit_policy.imitation.trajectories import Trajectories


def gather(sources: Sequence[str], *, episodes: int, seed: int, explore: bool) -> Trajectories:
    """Collect trajectories and pool them.

    Args:
        sources: Folders of checkpoints or trials, and whatever else a method may imitate: names of
            experts, Parquet files, ``minari:ID``.
        episodes: Of each.
        seed: Of experts, environments and policies.
        explore: Draw a checkpoint's actions from its policy instead of taking their mode.

    Returns:
        The trajectories.

    Raises:
        UserError: A source is unknown or unfit, or the sources do not fit each other.
    """
    from expedition.algorithms.implicit_policy.imitation.sources import load
    from expedition.algorithms.implicit_policy.imitation.trajectories import DatasetError, pooled

    try:
        return pooled(
            [
                _played(Path(source), episodes, seed, explore)
                if Path(source).is_dir()
                else load(source, episodes, seed)
                for source in sources
            ]
        )
    except DatasetError as error:
        raise UserError(str(error)) from error


def _played(path: Path, episodes: int, seed: int, explore: bool) -> Trajectories:
    from expedition.algorithms.core.rollout import play

    with restored(open_checkpoint(path)) as algorithm:
        return from_episodes(play(algorithm, episodes, seed, explore))


def from_episodes(episodes: Sequence[Episode]) -> Trajectories:
    """Turn played episodes into trajectories."""
    from expedition.algorithms.implicit_policy.imitation.trajectories import Trajectories

    return Trajectories(
        np.concatenate([episode.observations[:-1] for episode in episodes]).astype(np.float32),
        np.concatenate([episode.actions for episode in episodes]).astype(np.float32),
        np.concatenate([episode.rewards for episode in episodes]).astype(np.float64),
        np.array([episode.length for episode in episodes]),
        np.stack([episode.observations[-1] for episode in episodes]).astype(np.float32),
    )
