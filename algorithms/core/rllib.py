"""Every private name of RLlib that this project touches, in one place.

When a new Ray release moves one of them, this file is what changes.
"""

from collections.abc import Callable
from typing import Any

from ray.rllib.algorithms.algorithm_config import AlgorithmConfig
from ray.rllib.core.learner.learner import Learner
from ray.rllib.core.learner.learner_group import LearnerGroup
from ray.tune.registry import ENV_CREATOR, _global_registry
from ray.util import log_once

EnvCreator = Callable[[Any], Any]


def local_learner(group: LearnerGroup) -> Learner | None:
    """The learner in this process, or ``None`` if learners are actors."""
    return group._learner


def registered_env(name: str) -> EnvCreator | None:
    """The function registered with ``ray.tune.register_env`` under ``name``, if any."""
    if not _global_registry.contains(ENV_CREATOR, name):
        return None
    return _global_registry.get(ENV_CREATOR, name)


def skip_connector_sync(config: AlgorithmConfig) -> None:
    """Do not merge connector states between env runners after every iteration."""
    config._dont_auto_sync_env_runner_states = True


def hush_new_stack_remark(config: AlgorithmConfig) -> None:
    """RLlib remarks, once a process and class, that its new API stack is in use."""
    log_once(f"{config.algo_class.__name__}_on_new_api_stack")
