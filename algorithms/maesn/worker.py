"""Samples tasks' episodes and adapts their latents."""

import numpy as np
import torch
from torch import Tensor

from expedition.algorithms.core.linear_baseline import standardised
from expedition.algorithms.core.task_sampler import TaskSampler
from expedition.algorithms.core.task_worker import Arrays, TaskWorker, generators
from expedition.algorithms.maesn.latents import Latents, Steps, adapted
from expedition.algorithms.maesn.policy_step import TaskPolicies
from expedition.algorithms.maesn.task_data import Explored, TaskData

_MIN_DEVIATION = 1e-6
_PATHS = 3  # episodes of each test task whose paths are kept for a figure


class MAESNWorker(TaskWorker):
    """The sampling half of a meta-iteration for a share of the tasks, and of a test."""

    def gather(
        self,
        tasks: np.ndarray,
        before_keys: np.ndarray,
        after_keys: np.ndarray,
        means: np.ndarray,
        log_stds: np.ndarray,
        mean_steps: np.ndarray,
        log_std_steps: np.ndarray,
        parameters: Arrays,
        policy_steps: Arrays,
    ) -> TaskData:
        """Explore, adapt, and explore again.

        Args:
            tasks: ``[M, task]``.
            before_keys: Keys of the random numbers before adaptation, ``[M, key]``.
            after_keys: And after it.
            means: Of the latents before, ``[M, d]``.
            log_stds: Likewise.
            mean_steps: ``[M, d]``.
            log_std_steps: Likewise.
            parameters: Of the policy.
            policy_steps: Step sizes of the policy's parameters; empty if it does not adapt.
        """
        latents = Latents(torch.tensor(means), torch.tensor(log_stds))
        policies = TaskPolicies(parameters, policy_steps, len(tasks), self.method["activation"])
        episodes = self.method["episodes_per_task"]
        before = None
        if self.method["step_sizes"] != "fixed" or self.method["inner_step"]:
            steps = Steps(torch.tensor(mean_steps), torch.tensor(log_std_steps))
            before = self.explore(self.train, tasks, before_keys, latents, policies, episodes)
            latents = adapted(latents, before.drawn, before.latent_advantages, steps)
            policies.adapt(before.batch, before.drawn, before.advantages)
        after = self.explore(self.train, tasks, after_keys, latents, policies, episodes)
        return TaskData.of(before, after, keeps_before=bool(policy_steps))

    def explore(
        self,
        sampler: TaskSampler,
        tasks: np.ndarray,
        keys: np.ndarray,
        latents: Latents,
        policies: TaskPolicies,
        episodes: int,
    ) -> Explored:
        """Sample episodes of each task, each with a latent of its own that is held throughout."""
        streams = generators(keys)
        size = (episodes, latents.means.shape[1])
        noise = torch.from_numpy(np.stack([g.standard_normal(size) for g in streams]))
        drawn = latents.draw(noise)
        acting = policies.acting(drawn)
        batch = sampler.sample(acting, streams, episodes, tasks)
        raw = self.raw_advantages(batch)
        scaled = standardised(raw, batch.mask).astype(np.float32)
        first = latent_advantages(raw[:, :, 0])
        return Explored(noise, drawn, batch, scaled, first, acting.log_std)

    def adapt_once(
        self,
        tasks: np.ndarray,
        keys: np.ndarray,
        means: np.ndarray,
        log_stds: np.ndarray,
        parameters: Arrays,
        mean_steps: np.ndarray,
        log_std_steps: np.ndarray,
        policy_steps: Arrays,
    ) -> Arrays:
        """Latents ``means`` and ``log_stds`` ``[M, d]`` after one step on training episodes."""
        latents = Latents(torch.tensor(means), torch.tensor(log_stds))
        policies = TaskPolicies(parameters, policy_steps, len(tasks), self.method["activation"])
        episodes = self.method["episodes_per_task"]
        explored = self.explore(self.train, tasks, keys, latents, policies, episodes)
        steps = Steps(torch.tensor(mean_steps), torch.tensor(log_std_steps))
        after = adapted(latents, explored.drawn, explored.latent_advantages, steps)
        return {"means": after.means.numpy(), "log_stds": after.log_stds.numpy()}

    def adapt_to(
        self,
        tasks: np.ndarray,
        keys: np.ndarray,
        parameters: Arrays,
        mean_steps: np.ndarray,
        log_std_steps: np.ndarray,
        policy_steps: Arrays,
    ) -> Arrays:
        """Adapt to new tasks from the prior; the policy is left as it is, unless it adapts too.

        Args:
            tasks: ``[M, task]``.
            keys: ``[M, key]``.
            parameters: Of the policy.
            mean_steps: ``[d]``, the first step.
            log_std_steps: Likewise.
            policy_steps: Step sizes of the policy's parameters; empty if it does not adapt.

        Returns:
            ``return`` and ``reach`` ``[M, N + 1]``, before the first step and after each;
            ``latents`` ``[M, N + 1, 2 d]``, means and log stds; ``paths`` ``[M, 3, T, 2]``, the
            first two observations of episodes that explore from the prior.

        Source: Gupta et al. 2018, sec. 4.3 and the released code's test.
        """
        latents = Latents.prior(len(tasks), self.method["latent_dim"])
        policies = TaskPolicies(parameters, policy_steps, len(tasks), self.method["activation"])
        steps = Steps(torch.tensor(mean_steps), torch.tensor(log_std_steps))
        rows: list[tuple[np.ndarray, ...]] = []
        paths = np.empty(0)
        for k in range(self.method["test_steps"] + 1):
            stage = np.concatenate([keys, np.full((len(keys), 1), k)], 1)
            explored = self.explore(
                self.test, tasks, stage, latents, policies, self.method["test_episodes"]
            )
            batch = explored.batch
            told = torch.cat(latents, -1).numpy()
            rows.append((batch.returns.mean(1), batch.reached.mean(1), told))
            if not k:
                paths = batch.obs[:, :_PATHS, :, :2]
            factor = self._factor(k)
            latents = adapted(
                latents, explored.drawn, explored.latent_advantages, steps.scaled(factor)
            )
            policies.adapt(batch, explored.drawn, explored.advantages, factor)
        returns, reach, told = (np.stack(column, 1) for column in zip(*rows, strict=True))
        return {"return": returns, "reach": reach, "latents": told, "paths": paths}

    def _factor(self, k: int) -> float:
        """Length of test step k: full for the first few, then half of the one before."""
        if not self.method["halve_test_steps"]:
            return 1.0
        return 0.5 ** max(0, k + 1 - self.method["full_test_steps"])


def latent_advantages(first: np.ndarray) -> Tensor:
    """Standardise the first steps' advantages ``[M, K]`` over the episodes of each task.

    Where all are equal, because nothing was found, they are 0: to scale rounding errors up to unit
    variance would move the latents at random.
    """
    centred = first - first.mean(1, keepdims=True)
    deviation = first.std(1, keepdims=True)
    scaled = centred / (deviation + 1e-8)
    return torch.from_numpy(np.where(deviation < _MIN_DEVIATION, 0.0, scaled))
