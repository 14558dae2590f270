"""From a trial to the RLlib algorithm that runs it."""

from __future__ import annotations

import contextlib
import os
from typing import TYPE_CHECKING

import expedition.envs  # noqa: F401 - registers the Gymnasium ids
from expedition.algorithms import registry
from expedition.platform.plan import Trial

if TYPE_CHECKING:
    from ray.rllib.algorithms.algorithm import Algorithm
    from ray.rllib.algorithms.algorithm_config import AlgorithmConfig


def algorithm_config(trial: Trial) -> AlgorithmConfig:
    """Configure the algorithm of a trial.

    Args:
        trial: What to configure.

    Returns:
        The configuration, not yet validated by RLlib.

    Raises:
        ValueError: The algorithm is unknown, or a setting is not allowed.
    """
    config = registry.config_class(trial.algorithm)()
    config.environment(trial.env, env_config=dict(trial.env_config))
    if trial.resources["gpus"]:
        config.learners(num_gpus_per_learner=trial.resources["gpus"])
    config.update_from_dict(dict(trial.config))
    # RLlib would sample the machine's load from a thread that takes 0.7 s to stop; nobody reads it.
    config.debugging(seed=trial.seed, log_sys_usage=False)
    return config


def build_algorithm(trial: Trial) -> Algorithm:
    """Build the algorithm of a trial, untrained.

    Args:
        trial: What to build.

    Returns:
        An RLlib algorithm; the caller stops it.

    Raises:
        ValueError: The algorithm is unknown, or a setting is not allowed.
    """
    algorithm = algorithm_config(trial).build_algo()
    # RLlib makes a folder below the home folder for every algorithm and we keep nothing there.
    with contextlib.suppress(OSError):
        os.rmdir(algorithm.logdir)
    return algorithm
