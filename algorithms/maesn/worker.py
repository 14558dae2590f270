"""Samples tasks' episodes and adapts their latents."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from expedition.algorithms.core.episodes import EpisodeBatch, joined
from expedition.algorithms.core.gaussian_policy import ActingPolicy
from expedition.algorithms.core.linear_baseline import standardised
from expedition.algorithms.core.task_sampler import TaskSampler
from expedition.algorithms.core.task_worker import Arrays, TaskWorker, generators
from expedition.algorithms.maesn.latents import Latents, Steps, adapted

_MIN_DEVIATION = 1e-6
_PATHS = 3  # episodes of each test task whose paths are kept for a figure


class Explored(NamedTuple):
    """Episodes of M tasks with a latent each.

    Attributes:
        noise: Standard normal ε of the latents, ``[M, K, d]``.
        drawn: The latents z = m + σ ε ``[M, K, d]``.
        batch: The episodes.
        advantages: Of every step, not standardised, ``[M, K, T]``.
        latent_advantages: Of the episodes, ``[M, K]``.
    """

    noise: Tensor
    drawn: Tensor
    batch: EpisodeBatch
    advantages: np.ndarray
    latent_advantages: Tensor


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
    ) -> "TaskData":
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
        """
        latents = Latents(torch.tensor(means), torch.tensor(log_stds))
        episodes = self.method["episodes_per_task"]
        before = None
        if mean_steps.any() or log_std_steps.any():
            steps = Steps(torch.tensor(mean_steps), torch.tensor(log_std_steps))
            before = self.explore(self.train, tasks, before_keys, latents, parameters, episodes)
            latents = adapted(latents, before.drawn, before.latent_advantages, steps)
        after = self.explore(self.train, tasks, after_keys, latents, parameters, episodes)
        advantages = standardised(after.advantages, after.batch.mask).astype(np.float32)
        return TaskData.of(before, after, advantages)

    def explore(
        self,
        sampler: TaskSampler,
        tasks: np.ndarray,
        keys: np.ndarray,
        latents: Latents,
        parameters: Arrays,
        episodes: int,
    ) -> Explored:
        """Sample episodes of each task, each with a latent of its own that is held throughout."""
        streams = generators(keys)
        size = (episodes, latents.means.shape[1])
        noise = torch.from_numpy(np.stack([g.standard_normal(size) for g in streams]))
        drawn = latents.draw(noise)
        acting = ActingPolicy(parameters, self.method["activation"], drawn.numpy())
        batch = sampler.sample(acting, streams, episodes, tasks)
        raw = self.raw_advantages(batch)
        return Explored(noise, drawn, batch, raw, latent_advantages(raw[:, :, 0]))

    def adapt_once(
        self,
        tasks: np.ndarray,
        keys: np.ndarray,
        means: np.ndarray,
        log_stds: np.ndarray,
        parameters: Arrays,
        mean_steps: np.ndarray,
        log_std_steps: np.ndarray,
    ) -> Arrays:
        """Latents ``means`` and ``log_stds`` ``[M, d]`` after one step on training episodes."""
        latents = Latents(torch.tensor(means), torch.tensor(log_stds))
        episodes = self.method["episodes_per_task"]
        explored = self.explore(self.train, tasks, keys, latents, parameters, episodes)
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
    ) -> Arrays:
        """Adapt to new tasks from the prior; the policy is left as it is.

        Args:
            tasks: ``[M, task]``.
            keys: ``[M, key]``.
            parameters: Of the policy.
            mean_steps: ``[d]``, the first step.
            log_std_steps: Likewise.

        Returns:
            ``return`` and ``reach`` ``[M, N + 1]``, before the first step and after each;
            ``latents`` ``[M, N + 1, 2 d]``, means and log stds; ``paths`` ``[M, 3, T, 2]``, the
            first two observations of episodes that explore from the prior.

        Source: Gupta et al. 2018, sec. 4.3 and the released code's test.
        """
        latents = Latents.prior(len(tasks), self.method["latent_dim"])
        steps = Steps(torch.tensor(mean_steps), torch.tensor(log_std_steps))
        rows: list[tuple[np.ndarray, ...]] = []
        paths = np.empty(0)
        for k in range(self.method["test_steps"] + 1):
            stage = np.concatenate([keys, np.full((len(keys), 1), k)], 1)
            explored = self.explore(
                self.test, tasks, stage, latents, parameters, self.method["test_episodes"]
            )
            batch = explored.batch
            told = torch.cat(latents, -1).numpy()
            rows.append((batch.returns.mean(1), batch.reached.mean(1), told))
            if not k:
                paths = batch.obs[:, :_PATHS, :, :2]
            latents = adapted(
                latents, explored.drawn, explored.latent_advantages, steps.scaled(self._factor(k))
            )
        returns, reach, told = (np.stack(column, 1) for column in zip(*rows, strict=True))
        return {"return": returns, "reach": reach, "latents": told, "paths": paths}

    def _factor(self, k: int) -> float:
        """Length of test step k: full for the first few, then half of the one before."""
        if not self.method["halve_test_steps"]:
            return 1.0
        return 0.5 ** max(0, k + 1 - self.method["full_test_steps"])


class TaskData(NamedTuple):
    """What the learner gets of M tasks.

    Attributes:
        drawn: Latents of the episodes before adaptation, ``[M, K, d]``; empty without one.
        latent_advantages: Of those episodes, ``[M, K]``.
        noise: ε of the latents after adaptation, ``[M, K, d]``.
        batch: Episodes after adaptation.
        advantages: Of their steps, standardised, ``[M, K, T]`` float32.
        before: Of each task before adaptation, mean return, reach, and number of steps,
            ``[M, 3]``; without one, those of the episodes that there are, and no steps.
    """

    drawn: np.ndarray
    latent_advantages: np.ndarray
    noise: np.ndarray
    batch: EpisodeBatch
    advantages: np.ndarray
    before: np.ndarray

    @classmethod
    def of(cls, before: Explored | None, after: Explored, advantages: np.ndarray) -> "TaskData":
        """Keep what a meta-update needs."""
        first = before or after
        tasks = len(after.noise)
        steps = before.batch.lengths.sum(1) if before else np.zeros(tasks)
        scores = np.stack([first.batch.returns.mean(1), first.batch.reached.mean(1), steps], 1)
        return cls(
            drawn=before.drawn.numpy() if before else np.empty((tasks, 0, 0)),
            latent_advantages=before.latent_advantages.numpy() if before else np.empty((tasks, 0)),
            noise=after.noise.numpy(),
            batch=after.batch,
            advantages=advantages,
            before=scores,
        )

    @classmethod
    def joined(cls, parts: Sequence["TaskData"]) -> "TaskData":
        """Put shares of the tasks together."""
        if len(parts) == 1:
            return parts[0]
        columns = {
            name: np.concatenate([getattr(part, name) for part in parts])
            for name in cls._fields
            if name != "batch"
        }
        return cls(batch=joined([part.batch for part in parts], 0), **columns)


def latent_advantages(first: np.ndarray) -> Tensor:
    """Standardise the first steps' advantages ``[M, K]`` over the episodes of each task.

    Where all are equal, because nothing was found, they are 0: to scale rounding errors up to unit
    variance would move the latents at random.
    """
    centred = first - first.mean(1, keepdims=True)
    deviation = first.std(1, keepdims=True)
    scaled = centred / (deviation + 1e-8)
    return torch.from_numpy(np.where(deviation < _MIN_DEVIATION, 0.0, scaled))
