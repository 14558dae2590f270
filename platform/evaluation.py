"""A trained algorithm back from its checkpoint, and how well it does."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from expedition.platform import checkpoints
from expedition.platform.building import build_algorithm
from expedition.platform.checkpoints import Checkpoint
from expedition.platform.errors import UserError
from expedition.platform.plan import Trial
from expedition.platform.session import ray_session
from expedition.platform.staging import fetched_checkpoint

if TYPE_CHECKING:
    from ray.rllib.algorithms.algorithm import Algorithm

    from expedition.algorithms.core.rollout import Episode

# Processes that training used and playing does not need.
_REMOTE = ("num_env_runners", "num_learners", "evaluation_num_env_runners")


def open_checkpoint(path: Path, method: str | None = None) -> Checkpoint:
    """Find a checkpoint and make sure it is of the method that is expected.

    Newer ones of the trial that are damaged are named on standard error.

    Args:
        path: Folder of a checkpoint, or of a trial: then its newest; or its address in an object
            store.
        method: Name of the algorithm it must be of; any when not given.

    Returns:
        The checkpoint.

    Raises:
        UserError: There is none, it is damaged, or it is of another method.
    """
    checkpoint = checkpoints.find(
        fetched_checkpoint(path), lambda line: print(line, file=sys.stderr)
    )
    if method is not None and checkpoint.trial.algorithm != method:
        raise UserError(
            f"checkpoint {checkpoint.path} is of method '{checkpoint.trial.algorithm}',"
            f" not of '{method}'"
        )
    return checkpoint


@contextmanager
def restored(checkpoint: Checkpoint, *, debug: bool = False) -> Iterator[Algorithm]:
    """Build the algorithm of a checkpoint and restore it, in this process alone.

    Args:
        checkpoint: What to restore.
        debug: Show what Ray logs.

    Yields:
        The algorithm; it is stopped after the block.

    Raises:
        UserError: The algorithm does not take the checkpoint.
    """
    # RLlib would start Ray by itself, loudly, and leave its files behind.
    with ray_session(None, debug=debug):
        algorithm = build_algorithm(_in_one_process(checkpoint.trial))
        try:
            _restore(algorithm, checkpoint)
            yield algorithm
        finally:
            algorithm.stop()


def _restore(algorithm: Algorithm, checkpoint: Checkpoint) -> None:
    try:
        algorithm.restore_from_path(str(checkpoint.path.absolute()))
    except Exception as error:  # RLlib raises anything from KeyError to UnpicklingError
        raise UserError(
            f"checkpoint {checkpoint.path} does not fit method"
            f" '{checkpoint.trial.algorithm}': {type(error).__name__}: {error}"
        ) from error


def _in_one_process(trial: Trial) -> Trial:
    local = {key: 0 for key in _REMOTE if trial.config.get(key)}
    return replace(trial, config={**trial.config, **local}, resources={"cpus": 1, "gpus": 0})


def evaluate(
    checkpoint: Checkpoint, *, episodes: int, seed: int = 0, explore: bool = False
) -> dict[str, Any]:
    """Play episodes with a checkpoint and measure them.

    Args:
        checkpoint: What to evaluate.
        episodes: How many, at least 1.
        seed: Of the environment and, if it explores, of the policy.
        explore: Draw actions from the policy instead of taking its mode.

    Returns:
        ``method``, ``env``, ``env_steps`` of training, ``episodes``, ``return`` and ``length``
        (each mean, std, min and max), ``coverage`` (name -> value, empty when the environment
        declares no tracker).
    """
    from expedition.algorithms.core.rollout import play

    with restored(checkpoint) as algorithm:
        played = play(algorithm, episodes, seed, explore)
    return {
        "checkpoint": str(checkpoint.path),
        "method": checkpoint.trial.algorithm,
        "env": checkpoint.trial.env,
        "env_steps": checkpoint.env_steps,
        "episodes": episodes,
        "return": summary([episode.return_ for episode in played]),
        "length": summary([episode.length for episode in played]),
        "coverage": coverage(checkpoint.trial, played),
    }


def film(
    checkpoint: Checkpoint, *, episodes: int, seed: int = 0, explore: bool = False
) -> tuple[list[np.ndarray], float | None]:
    """Play episodes with a checkpoint and keep what they look like.

    Args:
        checkpoint: What to film.
        episodes: How many, at least 1.
        seed: Of the environment and, if it explores, of the policy.
        explore: Draw actions from the policy instead of taking its mode.

    Returns:
        Frames, [height, width, 3] uint8, of all episodes one after the other; and the frames a
        second that the environment declares, if it does.

    Raises:
        UserError: The environment does not render here.
    """
    import gymnasium

    from expedition.algorithms.core.rollout import play

    env = checkpoint.trial.env
    with restored(checkpoint) as algorithm:
        try:
            played = play(algorithm, episodes, seed, explore, render=True)
        except Exception as error:  # MuJoCo's, OpenGL's and Gymnasium's errors have no common class
            raise UserError(
                f"{env} does not render here: {error}; expedition doctor says what is missing"
            ) from error
    frames = [frame for episode in played for frame in episode.frames]
    if not frames or frames[0] is None:
        raise UserError(f"{env} gives no frames with render_mode 'rgb_array'")
    made = gymnasium.make(env, **checkpoint.trial.env_config)
    fps = made.metadata.get("render_fps")
    made.close()
    return frames, fps


def summary(values: Sequence[float]) -> dict[str, float]:
    """Mean, population standard deviation, minimum and maximum."""
    array = np.asarray(values, float)
    return {
        "mean": float(array.mean()),
        "std": float(array.std()),
        "min": float(array.min()),
        "max": float(array.max()),
    }


def coverage(trial: Trial, episodes: Sequence[Episode]) -> dict[str, float]:
    """Measure the states that episodes visited, with the environment's own tracker.

    Args:
        trial: Names the environment.
        episodes: What was played.

    Returns:
        Name -> value; empty when the environment declares no tracker.
    """
    import gymnasium

    from expedition.envs.coverage import tracker_for

    env = gymnasium.make(trial.env, **trial.env_config)
    try:
        tracker = tracker_for(env)
    finally:
        env.close()
    if tracker is None:
        return {}
    for episode in episodes:
        states = episode.observations[1:, None]  # [T, 1, d]: reached, the start left out
        ends = np.zeros(states.shape[:2], bool)
        ends[-1] = True
        tracker.update(states, ends)
    return tracker.metrics()
