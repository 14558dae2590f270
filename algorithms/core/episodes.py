"""Whole episodes of many tasks, sampled in lock-step, as arrays."""

from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
from typing import Any, Protocol

import numpy as np
from gymnasium.vector import VectorEnv

from expedition.algorithms.core.module import ActionScaler
from expedition.envs.coverage import CoverageTracker
from expedition.envs.tasks import reached

_NOISE_STEPS = 64  # action noise is drawn for so many steps at a time


class Actor(Protocol):
    """Who acts in M tasks with C copies each."""

    def draw(self, obs: np.ndarray, noise: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Choose actions.

        Args:
            obs: ``[M, C, obs]``.
            noise: Standard normal, ``[M, C, action]``.

        Returns:
            What centres the policy at each observation (a Gaussian's mean), and actions, both
            ``[M, C, action]`` float32.
        """
        ...


@dataclass
class EpisodeBatch:
    """K episodes of each of M tasks, padded to the longest, T steps.

    Attributes:
        obs: ``[M, K, T, obs]`` float32.
        actions: As the policy drew them, ``[M, K, T, action]`` float32.
        means: What centred the policy when it acted, ``[M, K, T, action]`` float32.
        rewards: ``[M, K, T]`` float64, 0 after the end.
        mask: Whether a step was made, ``[M, K, T]`` bool.
        last_obs: After the last step, ``[M, K, obs]`` float32.
        reached: Whether the episode was ever inside its task's success radius, ``[M, K]`` bool;
            never, in environments that have none.
    """

    obs: np.ndarray
    actions: np.ndarray
    means: np.ndarray
    rewards: np.ndarray
    mask: np.ndarray
    last_obs: np.ndarray
    reached: np.ndarray

    @property
    def returns(self) -> np.ndarray:
        """Undiscounted return of each episode, ``[M, K]``."""
        return self.rewards.sum(-1)

    @property
    def lengths(self) -> np.ndarray:
        """Steps of each episode, ``[M, K]``."""
        return self.mask.sum(-1)

    @property
    def env_steps(self) -> int:
        """Steps made."""
        return int(self.mask.sum())

    @property
    def next_obs(self) -> np.ndarray:
        """What each step led to, ``[M, K, T, obs]``; unspecified after the end."""
        following = np.concatenate([self.obs[:, :, 1:], self.last_obs[:, :, None]], 2)
        ends = np.maximum(self.lengths - 1, 0)[:, :, None, None]
        np.put_along_axis(following, ends, self.last_obs[:, :, None], 2)
        return following


def padded(batch: EpisodeBatch, steps: int) -> EpisodeBatch:
    """The same with T = ``steps``, not fewer than there are."""
    more = steps - batch.mask.shape[2]

    def pad(array: np.ndarray) -> np.ndarray:
        return np.pad(array, [(0, 0), (0, 0), (0, more)] + [(0, 0)] * (array.ndim - 3))

    columns = ("obs", "actions", "means", "rewards", "mask")
    return replace(batch, **{name: pad(getattr(batch, name)) for name in columns})


def joined(batches: Sequence[EpisodeBatch], axis: int) -> EpisodeBatch:
    """Put batches together along tasks (0) or episodes (1), padded to the longest."""
    steps = max(batch.mask.shape[2] for batch in batches)
    level = [padded(batch, steps) for batch in batches]
    names = [field.name for field in fields(EpisodeBatch)]
    return EpisodeBatch(
        **{name: np.concatenate([getattr(batch, name) for batch in level], axis) for name in names}
    )


def show_episodes(tracker: CoverageTracker, batch: EpisodeBatch) -> None:
    """Show a tracker every episode, one after the other: their lengths differ."""
    for states, lengths in zip(batch.next_obs, batch.lengths, strict=True):
        for episode, length in zip(states, lengths, strict=True):
            ends = np.zeros((length, 1), dtype=bool)
            ends[-1] = True
            tracker.update(episode[:length, None], ends)


class EpisodeSampler:
    """Runs one episode in every copy of a vector environment at once.

    The copies are M tasks with C copies each, task by task. What a task's episodes are depends on
    its generator and on nothing else: not on the other tasks of the batch, nor on earlier batches.

    Args:
        env: M * C copies that reset in the step that ends an episode; their tasks are the caller's.
        copies_per_task: C.
    """

    def __init__(self, env: VectorEnv, copies_per_task: int) -> None:
        self.env = env
        self.shape = (env.num_envs // copies_per_task, copies_per_task)
        self._scale = ActionScaler(env.single_action_space)
        self._obs_dim = env.single_observation_space.shape[0]
        self._action_dim = env.single_action_space.shape[0]

    def sample(self, policy: Actor, generators: Sequence[np.random.Generator]) -> EpisodeBatch:
        """Run one episode in every copy, with K = C.

        Args:
            policy: Who acts. Actions are clipped to (-1, 1), then scaled to the bounds.
            generators: One a task; they seed its copies and draw the noise of its actions.
        """
        seeds = [int(seed) for g in generators for seed in g.integers(2**31, size=self.shape[1])]
        obs, _ = self.env.reset(seed=seeds)
        now = self._shaped(obs)
        alive = np.ones(self.shape, dtype=bool)
        found, last = np.zeros_like(alive), now.copy()
        columns: list[tuple[np.ndarray, ...]] = []
        noise = np.empty((0,))
        while alive.any():
            step = len(columns) % _NOISE_STEPS
            if not step:
                noise = self._noise(generators)
            means, actions = policy.draw(now, noise[:, step])
            obs, rewards, terminations, truncations, infos = self.env.step(self._allowed(actions))
            columns.append((now, actions, means, rewards.reshape(self.shape) * alive, alive))
            if "reached" in infos:
                found |= reached(infos).reshape(self.shape) & alive
            ended = (terminations | truncations).reshape(self.shape)
            now = self._shaped(obs)
            if ended.any():
                self._note_last(last, infos, alive & ended)
            alive = alive & ~ended
        obs_, actions_, means_, rewards_, mask = (
            np.stack(column, 2) for column in zip(*columns, strict=True)
        )
        return EpisodeBatch(obs_, actions_, means_, rewards_, mask, last, found)

    def _noise(self, generators: Sequence[np.random.Generator]) -> np.ndarray:
        size = (_NOISE_STEPS, self.shape[1], self._action_dim)
        return np.stack([generator.standard_normal(size) for generator in generators])

    def _shaped(self, obs: np.ndarray) -> np.ndarray:
        return np.array(obs, dtype=np.float32).reshape(*self.shape, self._obs_dim)

    def _allowed(self, actions: np.ndarray) -> np.ndarray:
        clipped = np.clip(actions, -1.0, 1.0).reshape(-1, self._action_dim)
        return self._scale(clipped)

    def _note_last(self, last: np.ndarray, infos: dict[str, Any], ended: np.ndarray) -> None:
        final = infos["final_obs"]
        flat = last.reshape(-1, self._obs_dim)
        for copy in np.flatnonzero(ended):
            flat[copy] = final[copy]
