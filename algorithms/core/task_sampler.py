"""Samples episodes of tasks, in the process it lives in."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from gymnasium.vector import SyncVectorEnv, VectorEnv
from ray.rllib.env.env_context import EnvContext

from expedition.algorithms.core.episodes import Actor, EpisodeBatch, EpisodeSampler, padded
from expedition.algorithms.core.rllib import EnvCreator
from expedition.algorithms.core.vector_env import make_vector_env
from expedition.envs.tasks import set_tasks


class TaskSampler:
    """Vector environments, made when a batch first asks for so many copies.

    Args:
        env: As RLlib's ``config.env``.
        env_config: Keyword arguments of the environment.
        vectorize_mode: See ``make_vector_env``.
    """

    def __init__(
        self, env: str | EnvCreator, env_config: dict[str, Any], vectorize_mode: str
    ) -> None:
        self._made_from = (env, EnvContext(env_config, 0), vectorize_mode)
        self._samplers: dict[tuple[int, int], EpisodeSampler] = {}

    def sample(
        self,
        policy: Actor,
        generators: Sequence[np.random.Generator],
        copies: int,
        tasks: np.ndarray | None = None,
    ) -> EpisodeBatch:
        """Run one episode in each of C copies for each of M tasks.

        Args:
            policy: Who acts, for M tasks.
            generators: M, one a task.
            copies: C.
            tasks: ``[M, task]``; the environment's own when not given.

        Returns:
            A batch ``[M, C, T, ...]``, T the time limit where there is one.
        """
        sampler = self.sampler(len(generators), copies)
        if tasks is not None:
            set_tasks(sampler.env, np.repeat(tasks, copies, axis=0))
        batch = sampler.sample(policy, generators)
        limit = time_limit(sampler.env)
        # The same T whatever the other tasks' episodes are: sums over it are equal to the last bit.
        return batch if limit is None or tasks is None else padded(batch, limit)

    def sampler(self, tasks: int, copies: int) -> EpisodeSampler:
        """The sampler of so many copies."""
        key = (tasks, copies)
        if key not in self._samplers:
            env, env_config, mode = self._made_from
            made = make_vector_env(env, env_config, tasks * copies, mode)
            self._samplers[key] = EpisodeSampler(made, copies)
        return self._samplers[key]

    def close(self) -> None:
        """Close every environment."""
        for sampler in self._samplers.values():
            sampler.env.close()
        self._samplers.clear()


def time_limit(env: VectorEnv) -> int | None:
    """Steps after which an episode of a vector environment is truncated, if it says so."""
    base = env.unwrapped
    if isinstance(base, SyncVectorEnv):
        spec = base.envs[0].spec
        return None if spec is None else spec.max_episode_steps
    return getattr(base, "max_episode_steps", None)
