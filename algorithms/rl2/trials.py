"""Trials: several episodes of one task in a row, the hidden state carried along."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import torch
from gymnasium.vector import VectorEnv
from torch import Tensor

from expedition.algorithms.core.module import ActionScaler
from expedition.algorithms.rl2.policy import PreviousStep, RecurrentPolicy, policy_inputs
from expedition.envs.tasks import reached


class Trials(NamedTuple):
    """Steps of n trials, in order; a trial shorter than T steps is padded and masked.

    Attributes:
        obs: ``[T, n, obs]``.
        actions: ``[T, n, action]``, as the policy drew them.
        rewards: ``[T, n]``, 0 after a trial's end.
        ends: ``[T, n]``, 1 where an episode ended.
        reached: ``[T, n]``, 1 inside the task's success radius, if the environment says so.
        mask: ``[T, n]``, 1 for a step of the trial.
        means: ``[T, n, action]``, of the policy when it acted.
    """

    obs: Tensor
    actions: Tensor
    rewards: Tensor
    ends: Tensor
    reached: Tensor
    mask: Tensor
    means: Tensor

    @property
    def inputs(self) -> Tensor:
        """What the policy was fed ``[T, n, obs + action + 2]``: of the first step, zeros."""

        def before(values: Tensor) -> Tensor:
            return torch.cat((torch.zeros_like(values[:1]), values[:-1]))

        previous = PreviousStep(before(self.actions), before(self.rewards), before(self.ends))
        return policy_inputs(self.obs, previous)

    def episode_sums(self, values: Tensor) -> Tensor:
        """Sum ``values`` ``[T, n]`` over each episode: ``[K, n]``, for K episodes a trial."""
        episode = (self.ends.cumsum(0) - self.ends).long()  # which one a step belongs to
        count = int(self.ends.sum(0).max())
        sums = torch.zeros(count, values.shape[1], dtype=values.dtype)
        return sums.scatter_add_(0, episode.clamp_max(count - 1), values * self.mask)


def run_trials(
    env: VectorEnv,
    policy: RecurrentPolicy,
    episodes: int,
    seeds: Sequence[int],
    generator: torch.Generator | None,
) -> Trials:
    """Run one trial in every copy of an environment.

    A trial is ``episodes`` episodes of the copy's task. The hidden state starts from zeros and is
    never reset within the trial.

    Args:
        env: n copies that reset in the step that ends an episode, their tasks posed already.
        policy: Who acts; actions are clipped to (-1, 1) and scaled to the environment's bounds.
        episodes: K.
        seeds: One for each copy's start states.
        generator: Of the actions' noise; ``None`` takes the mean actions.
    """
    scale = ActionScaler(env.single_action_space)
    obs, _ = env.reset(seed=list(seeds))
    previous = PreviousStep.none(env.num_envs, policy.action_dim)
    hidden = policy.initial_state(env.num_envs)
    counts = np.zeros(env.num_envs, dtype=int)
    steps: list[tuple[Tensor, ...]] = []
    with torch.no_grad():
        while counts.min() < episodes:
            mask = torch.as_tensor(counts < episodes, dtype=torch.float32)
            observed = torch.as_tensor(obs, dtype=torch.float32).clone()
            actions, means, hidden = policy.act(observed, previous, hidden, generator)
            applied = scale(actions.clamp(-1, 1).numpy())
            obs, rewards, terminations, truncations, infos = env.step(applied)
            ended = terminations | truncations
            ends = torch.as_tensor(ended, dtype=torch.float32)
            reward = torch.as_tensor(rewards, dtype=torch.float32)
            inside = torch.as_tensor(reached(infos), dtype=torch.float32)
            previous = PreviousStep(actions, reward, ends)
            steps.append(
                (observed, actions, reward * mask, ends * mask, inside * mask, mask, means)
            )
            counts += ended
    return Trials(*(torch.stack(column) for column in zip(*steps, strict=True)))
