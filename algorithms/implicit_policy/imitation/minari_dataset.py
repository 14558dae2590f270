"""Trajectories of Minari datasets; the package ``minari`` is an optional extra."""

import numpy as np

from expedition.algorithms.implicit_policy.imitation.trajectories import DatasetError, Trajectories


def read_minari(dataset_id: str) -> Trajectories:
    """Read a dataset that is on this machine; nothing is downloaded.

    Args:
        dataset_id: Such as ``mujoco/hopper/expert-v0``.

    Raises:
        DatasetError: If the package or the dataset is missing, or its spaces are not flat boxes.
    """
    try:
        import minari
    except ImportError as error:
        raise DatasetError("Minari datasets need: pip install 'expedition[minari]'") from error
    try:
        dataset = minari.load_dataset(dataset_id)
    except FileNotFoundError as error:
        raise DatasetError(
            f"no Minari dataset '{dataset_id}' on this machine; try: minari download {dataset_id}"
        ) from error
    spaces = (dataset.observation_space, dataset.action_space)
    if any(space.shape is None or len(space.shape) != 1 for space in spaces):
        raise DatasetError(f"Minari dataset '{dataset_id}' is not of flat boxes: {spaces}")
    episodes = list(dataset.iterate_episodes())
    return Trajectories(
        np.concatenate([episode.observations[:-1] for episode in episodes]).astype(np.float32),
        np.concatenate([episode.actions for episode in episodes]).astype(np.float32),
        np.concatenate([episode.rewards for episode in episodes]).astype(np.float64),
        np.array([len(episode.rewards) for episode in episodes]),
        np.stack([episode.observations[-1] for episode in episodes]).astype(np.float32),
    )
