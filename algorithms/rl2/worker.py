"""Runs trials of a share of the tasks."""

import numpy as np

from expedition.algorithms.core.task_sampler import TaskSampler
from expedition.algorithms.core.task_worker import Arrays, TaskWorker, generators
from expedition.algorithms.rl2.trials import Trials, run_trials
from expedition.envs.tasks import set_tasks


class RL2Worker(TaskWorker):
    """What it does depends on the request alone."""

    def gather(self, parameters: Arrays, tasks: np.ndarray, keys: np.ndarray) -> Trials:
        """Training's trials of tasks ``[m, task]``, random numbers by ``keys`` ``[m, 4]``."""
        return self._trials(
            self.train,
            parameters,
            tasks,
            keys,
            self.method["trials_per_task"],
            self.method["episodes_per_task"],
        )

    def adapt_to(self, parameters: Arrays, tasks: np.ndarray, keys: np.ndarray) -> Arrays:
        """Trials in the evaluation's environment.

        Returns:
            ``return`` and ``reach`` ``[m, test_steps + 1]``: means over a task's trials of each
            episode.
        """
        trials, episodes = self.method["test_episodes"], self.method["test_steps"] + 1
        batch = self._trials(self.test, parameters, tasks, keys, trials, episodes)
        means = [
            values.reshape(episodes, len(tasks), trials).mean(2).T
            for values in (batch.returns, batch.successes)
        ]
        return {"return": means[0], "reach": means[1]}

    def _trials(
        self,
        sampler: TaskSampler,
        parameters: Arrays,
        tasks: np.ndarray,
        keys: np.ndarray,
        trials: int,
        episodes: int,
    ) -> Trials:
        env = sampler.sampler(len(tasks), trials).env
        set_tasks(env, np.repeat(tasks, trials, axis=0))
        return run_trials(env, parameters, episodes, generators(keys))
