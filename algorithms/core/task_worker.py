"""A share of a batch of tasks: where its episodes are sampled and its tasks adapt."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from expedition.algorithms.core.episodes import EpisodeBatch
from expedition.algorithms.core.linear_baseline import advantages, fitted_baseline, returns_to_go
from expedition.algorithms.core.task_sampler import TaskSampler

Arrays = dict[str, np.ndarray]


@dataclass(frozen=True)
class WorkerSettings:
    """What a worker is built from.

    Attributes:
        env: As RLlib's ``config.env``.
        env_config: Keyword arguments of the training environment.
        test_env_config: Of the evaluation's.
        vectorize_mode: See ``make_vector_env``.
        method: Hyperparameters of the method.
    """

    env: Any
    env_config: Mapping[str, Any]
    test_env_config: Mapping[str, Any]
    vectorize_mode: str
    method: Mapping[str, Any]


class TaskWorker:
    """A member of an ``ActorPool``. It keeps nothing from one request to the next.

    A request names a method of the subclass and its arguments. All randomness of a task comes from
    the key of its generators, so that it does not matter which worker, or which attempt, it is.
    """

    def __init__(self, settings: WorkerSettings) -> None:
        self.settings = settings
        self.method = settings.method
        self.train = self._sampler(settings.env_config)
        self.test = self._sampler(settings.test_env_config)

    def run(self, request: tuple[str, dict[str, Any]]) -> Any:
        """Answer a request: a method's name and its arguments."""
        name, arguments = request
        return getattr(self, name)(**arguments)

    def get_state(self) -> None:
        """There is none."""

    def round_state(self) -> None:
        """There is none."""

    def set_state(self, state: None) -> None:
        """There is none."""

    def raw_advantages(self, batch: EpisodeBatch) -> np.ndarray:
        """Advantages over each task's own linear baseline ``[M, K, T]``, not standardised."""
        gamma = self.method["gamma"]
        returns = returns_to_go(batch.rewards, batch.mask, gamma)
        baseline = fitted_baseline(batch.obs, returns, batch.mask)
        return advantages(batch.rewards, baseline, batch.mask, gamma, self.method["gae_lambda"])

    def _sampler(self, env_config: Mapping[str, Any]) -> TaskSampler:
        return TaskSampler(self.settings.env, dict(env_config), self.settings.vectorize_mode)


def generators(keys: np.ndarray | Sequence[Sequence[int]]) -> list[np.random.Generator]:
    """One stream of random numbers for each key ``[M, key]``."""
    return [np.random.default_rng([int(number) for number in key]) for key in keys]
