"""Trials: several episodes of one task in a row, the hidden state carried along."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields

import numpy as np
from gymnasium.vector import VectorEnv

from expedition.algorithms.core.module import ActionScaler
from expedition.algorithms.rl2.policy import ActingTrials
from expedition.envs.tasks import reached

_NOISE_STEPS = 64  # action noise is drawn for so many steps at a time


@dataclass
class Trials:
    """Steps of n trials, in order; a trial shorter than T steps is padded and masked.

    Attributes:
        obs: ``[T, n, obs]`` float32.
        actions: As the policy drew them, ``[T, n, action]`` float32.
        means: Of the policy when it acted, ``[T, n, action]`` float32.
        rewards: ``[T, n]`` float32, 0 after a trial's end.
        ends: Whether the step ended an episode, ``[T, n]`` bool.
        reached: Whether it was inside the task's success radius, ``[T, n]`` bool.
        mask: Whether it belongs to the trial, ``[T, n]`` bool.
    """

    obs: np.ndarray
    actions: np.ndarray
    means: np.ndarray
    rewards: np.ndarray
    ends: np.ndarray
    reached: np.ndarray
    mask: np.ndarray

    @property
    def inputs(self) -> np.ndarray:
        """What the policy took in ``[T, n, obs + action + 2]``: before the first step, zeros."""
        brought = (self.actions, self.rewards[..., None], self.ends[..., None])
        before = np.concatenate([column.astype(np.float32) for column in brought], -1)
        before = np.concatenate([np.zeros_like(before[:1]), before[:-1]])
        return np.concatenate([self.obs, before], -1)

    def of_episodes(self, values: np.ndarray) -> np.ndarray:
        """Sum ``values`` ``[T, n]`` over each of the K episodes of a trial: ``[K, n]``."""
        episode = np.cumsum(self.ends, 0) - self.ends  # which one a step belongs to
        sums = np.zeros((int(self.ends.sum(0).max()), self.mask.shape[1]))
        steps, trials = np.nonzero(self.mask)
        np.add.at(sums, (episode[steps, trials], trials), values[steps, trials])
        return sums

    @property
    def returns(self) -> np.ndarray:
        """Undiscounted return of each episode ``[K, n]``."""
        return self.of_episodes(self.rewards)

    @property
    def successes(self) -> np.ndarray:
        """Whether each episode was ever inside its task's success radius ``[K, n]``."""
        return self.of_episodes(self.reached) > 0


def joined_trials(batches: Sequence[Trials]) -> Trials:
    """Put trials side by side, padded to the longest."""
    steps = max(len(batch.mask) for batch in batches)

    def pad(column: np.ndarray) -> np.ndarray:
        more = steps - len(column)
        return np.pad(column, [(0, more)] + [(0, 0)] * (column.ndim - 1))

    names = [field.name for field in fields(Trials)]
    return Trials(
        **{name: np.concatenate([pad(getattr(b, name)) for b in batches], 1) for name in names}
    )


def run_trials(
    env: VectorEnv,
    parameters: Mapping[str, np.ndarray],
    episodes: int,
    generators: Sequence[np.random.Generator],
) -> Trials:
    """Run one trial in every copy of an environment.

    A trial is ``episodes`` episodes of the copy's task. The hidden state starts from zeros and is
    not reset within the trial.

    Args:
        env: M * C copies that reset in the step that ends an episode, task by task, their tasks
            posed already.
        parameters: Of a ``RecurrentPolicy``. Actions are clipped to (-1, 1), then scaled.
        episodes: K.
        generators: One a task; they seed its copies and draw the noise of its actions.

    Returns:
        Of M * C trials, task by task.
    """
    copies = env.num_envs // len(generators)
    shape = (len(generators), copies)
    policy = ActingTrials(parameters, shape)
    scale = ActionScaler(env.single_action_space)
    seeds = [int(seed) for g in generators for seed in g.integers(2**31, size=copies)]
    obs, _ = env.reset(seed=seeds)
    counts = np.zeros(env.num_envs, dtype=int)
    columns: list[tuple[np.ndarray, ...]] = []
    noise = np.empty((0,))
    while counts.min() < episodes:
        step = len(columns) % _NOISE_STEPS
        if not step:
            size = (_NOISE_STEPS, copies, policy.std.shape[-1])
            noise = np.stack([generator.standard_normal(size) for generator in generators])
        now = np.array(obs, dtype=np.float32)
        means = policy.means(now.reshape(*shape, -1))
        actions = (means + policy.std * noise[:, step]).astype(np.float32)
        flat = actions.reshape(env.num_envs, -1)
        obs, rewards, terminations, truncations, infos = env.step(scale(np.clip(flat, -1.0, 1.0)))
        ends, mask = terminations | truncations, counts < episodes
        policy.note(actions, rewards.reshape(shape), ends.reshape(shape))
        inside = reached(infos) if "reached" in infos else np.zeros_like(ends)
        columns.append(
            (
                now,
                flat,
                means.reshape(flat.shape),
                (rewards * mask).astype(np.float32),
                ends & mask,
                inside & mask,
                mask,
            )
        )
        counts += ends
    return Trials(*(np.stack(column) for column in zip(*columns, strict=True)))
