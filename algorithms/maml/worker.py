"""Where MAML samples and adapts a share of the tasks."""

from typing import NamedTuple

import numpy as np
import torch

from expedition.algorithms.core.episodes import EpisodeBatch
from expedition.algorithms.core.gaussian_policy import ActingPolicy, Parameters
from expedition.algorithms.core.task_sampler import TaskSampler
from expedition.algorithms.core.task_worker import (
    Arrays,
    TaskWorker,
    WorkerSettings,
    generators,
)
from expedition.algorithms.maml.inner_loop import step
from expedition.algorithms.maml.policy import CONTEXT, AdaptablePolicy
from expedition.algorithms.maml.task_batch import task_batch

_PATHS = 3  # episodes of each test task whose paths are kept for a figure


class MetaEpisodes(NamedTuple):
    """Episodes of M tasks: ``before``, of each inner step; ``after``, of the adapted policies."""

    before: list[EpisodeBatch]
    after: EpisodeBatch


class MAMLWorker(TaskWorker):
    """Runs episodes of tasks and takes the inner steps; what it returns holds no parameters."""

    def __init__(self, settings: WorkerSettings) -> None:
        super().__init__(settings)
        env = self.train.sampler(1, 1).env
        obs_dim = env.single_observation_space.shape[0]
        action_dim = env.single_action_space.shape[0]
        self.policy = AdaptablePolicy.of(obs_dim, action_dim, self.method)

    @torch.no_grad()
    def gather(self, parameters: Arrays, tasks: np.ndarray, keys: np.ndarray) -> MetaEpisodes:
        """Training's episodes: of the meta-parameters, of each inner step, of the adapted ones.

        Args:
            parameters: The meta-parameters by name.
            tasks: ``[m, task]``.
            keys: Of the tasks' random numbers, ``[m, 4]``.
        """
        own = self._load(parameters, len(tasks))
        before = []
        for stage in range(self.method["inner_steps"]):
            before.append(self._episodes(self.train, own, tasks, keys, stage))
            own = self._step(own, before[-1])
        stage = self.method["inner_steps"]
        return MetaEpisodes(before, self._episodes(self.train, own, tasks, keys, stage))

    @torch.no_grad()
    def adapt_to(self, parameters: Arrays, tasks: np.ndarray, keys: np.ndarray) -> Arrays:
        """Adapt to tasks of the evaluation's environment by ``test_steps`` gradient steps.

        Args:
            parameters: The meta-parameters by name.
            tasks: ``[m, task]``.
            keys: Of the tasks' random numbers, ``[m, 4]``.

        Returns:
            ``return`` and ``reach`` ``[m, test_steps + 1]``: means over a task's episodes before
            the first step and after each; ``paths`` ``[m, 3, T, 2]``, the first two observations of
            episodes before adaptation.
        """
        own = self._load(parameters, len(tasks))
        returns, reach, paths = [], [], np.empty(0)
        for stage in range(self.method["test_steps"] + 1):
            batch = self._episodes(self.test, own, tasks, keys, stage)
            returns.append(batch.returns.mean(1))
            reach.append(batch.reached.mean(1))
            if not stage:
                paths = batch.obs[:, :_PATHS, :, :2]
            if stage < self.method["test_steps"]:
                own = self._step(own, batch, self.method["later_step_scale"] if stage else 1.0)
        return {"return": np.stack(returns, 1), "reach": np.stack(reach, 1), "paths": paths}

    def _load(self, parameters: Arrays, tasks: int) -> Parameters:
        self.policy.load_state_dict({k: torch.as_tensor(v) for k, v in parameters.items()})
        return self.policy.stacked(tasks)

    def _step(self, own: Parameters, episodes: EpisodeBatch, scale: float = 1.0) -> Parameters:
        batch = task_batch(episodes, self.raw_advantages(episodes))
        return step(self.policy, own, batch, scale=scale)

    def _episodes(
        self,
        sampler: TaskSampler,
        own: Parameters,
        tasks: np.ndarray,
        keys: np.ndarray,
        stage: int,
    ) -> EpisodeBatch:
        arrays = {name: value.detach().numpy() for name, value in own.items()}
        latents = arrays[CONTEXT][:, None] if CONTEXT in arrays else None
        acting = ActingPolicy(arrays, self.method["activation"], latents)
        copies = "episodes_per_task" if sampler is self.train else "test_episodes"
        streams = generators([[*key, stage] for key in keys])
        return sampler.sample(acting, streams, self.method[copies], tasks)
