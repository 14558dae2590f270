"""What a worker samples of its tasks, and what the learner gets of it."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from torch import Tensor

from expedition.algorithms.core.episodes import EpisodeBatch, joined


class Explored(NamedTuple):
    """Episodes of M tasks with a latent each.

    Attributes:
        noise: Standard normal ε of the latents, ``[M, K, d]``.
        drawn: The latents z = m + σ ε ``[M, K, d]``.
        batch: The episodes.
        advantages: Of every step, standardised over the task's, ``[M, K, T]`` float32.
        latent_advantages: Of the episodes, ``[M, K]``.
        log_std: Of the policy that acted, ``[1, action]`` or ``[M, 1, action]``.
    """

    noise: Tensor
    drawn: Tensor
    batch: EpisodeBatch
    advantages: np.ndarray
    latent_advantages: Tensor
    log_std: np.ndarray


class TaskData(NamedTuple):
    """What the learner gets of M tasks.

    Attributes:
        drawn: Latents of the episodes before adaptation, ``[M, K, d]``; empty without one.
        latent_advantages: Of those episodes, ``[M, K]``.
        noise: ε of the latents after adaptation, ``[M, K, d]``.
        batch: Episodes after adaptation.
        advantages: Of their steps, standardised, ``[M, K, T]`` float32.
        log_std: Of the policy that acted in them, ``[M, 1, 1, action]``.
        scores: Of each task before adaptation, mean return, reach, and number of steps,
            ``[M, 3]``; without one, those of the episodes that there are, and no steps.
        before: Episodes before adaptation and their steps' advantages, where policies adapt.
    """

    drawn: np.ndarray
    latent_advantages: np.ndarray
    noise: np.ndarray
    batch: EpisodeBatch
    advantages: np.ndarray
    log_std: np.ndarray
    scores: np.ndarray
    before: tuple[EpisodeBatch, np.ndarray] | None

    @classmethod
    def of(cls, before: Explored | None, after: Explored, *, keeps_before: bool) -> "TaskData":
        """Keep what a meta-update needs."""
        first = before or after
        tasks, action_dim = len(after.noise), after.log_std.shape[-1]
        steps = before.batch.lengths.sum(1) if before else np.zeros(tasks)
        return cls(
            drawn=before.drawn.numpy() if before else np.empty((tasks, 0, 0)),
            latent_advantages=before.latent_advantages.numpy() if before else np.empty((tasks, 0)),
            noise=after.noise.numpy(),
            batch=after.batch,
            advantages=after.advantages,
            log_std=np.broadcast_to(after.log_std, (tasks, 1, action_dim))[:, None].copy(),
            scores=np.stack([first.batch.returns.mean(1), first.batch.reached.mean(1), steps], 1),
            before=(before.batch, before.advantages) if before and keeps_before else None,
        )

    @classmethod
    def joined(cls, parts: Sequence["TaskData"]) -> "TaskData":
        """Put shares of the tasks together."""
        if len(parts) == 1:
            return parts[0]
        columns = {
            name: np.concatenate([getattr(part, name) for part in parts])
            for name in cls._fields
            if name not in ("batch", "before")
        }
        pairs = [part.before for part in parts if part.before is not None]
        before = None
        if pairs:
            advantages = np.concatenate([own for _, own in pairs])
            before = (joined([batch for batch, _ in pairs], 0), advantages)
        batch = joined([part.batch for part in parts], 0)
        return cls(batch=batch, before=before, **columns)
