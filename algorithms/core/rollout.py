"""Plays episodes of a trained algorithm, for evaluation and for looking at them."""

from dataclasses import dataclass, field

import gymnasium as gym
import numpy as np
import torch
from ray.rllib.algorithms.algorithm import Algorithm
from ray.rllib.core.columns import Columns

import expedition.envs  # noqa: F401  registers expedition/* in this process
from expedition.algorithms.core.module import ActionScaler, OffPolicyModule


@dataclass
class Episode:
    """One played episode of T steps.

    Attributes:
        observations: ``[T + 1, obs]``.
        actions: As given to the environment, ``[T, action]``.
        rewards: ``[T]``.
        frames: If rendered, T + 1 images ``[height, width, 3]`` uint8.
        terminated: Whether it ended by itself rather than at a time limit.
    """

    observations: np.ndarray
    actions: np.ndarray
    rewards: np.ndarray
    frames: list[np.ndarray] = field(default_factory=list)
    terminated: bool = False

    @property
    def return_(self) -> float:
        """Sum of rewards."""
        return float(self.rewards.sum())

    @property
    def length(self) -> int:
        """Steps."""
        return len(self.rewards)


def play(
    algo: Algorithm, episodes: int, seed: int, explore: bool, render: bool = False
) -> list[Episode]:
    """Play episodes in a fresh copy of the algorithm's environment.

    Args:
        algo: Any RLlib algorithm on the new API stack; its policy is used as it is.
        episodes: Number of episodes.
        seed: Of environment and exploration noise; the same seed plays the same episodes.
        explore: Draw actions from the policy; otherwise take its mode.
        render: Keep frames (``render_mode="rgb_array"``).
    """
    render_mode = {"render_mode": "rgb_array"} if render else {}
    env = gym.make(algo.config.env, **algo.config.env_config, **render_mode)
    generator = torch.Generator().manual_seed(seed)
    try:
        return [
            _play_one(algo, env, generator, seed if index == 0 else None, explore, render)
            for index in range(episodes)
        ]
    finally:
        env.close()


def _play_one(
    algo: Algorithm,
    env: gym.Env,
    generator: torch.Generator,
    seed: int | None,
    explore: bool,
    render: bool,
) -> Episode:
    policy = _Policy(algo, env, generator, explore)
    obs, _ = env.reset(seed=seed)
    observations, actions, rewards = [obs], [], []
    frames = [env.render()] if render else []
    terminated = truncated = False
    while not (terminated or truncated):
        action = policy(obs)
        obs, reward, terminated, truncated, _ = env.step(action)
        observations.append(obs)
        actions.append(action)
        rewards.append(reward)
        if render:
            frames.append(env.render())
    return Episode(np.array(observations), np.array(actions), np.array(rewards), frames, terminated)


class _Policy:
    """Acts for one episode: draws the episode's context when made."""

    def __init__(
        self, algo: Algorithm, env: gym.Env, generator: torch.Generator, explore: bool
    ) -> None:
        self._module = algo.get_module()
        self._generator = generator
        self._explore = explore
        self._space = env.action_space
        self._is_ours = isinstance(self._module, OffPolicyModule)
        if self._is_ours:
            self._scale = ActionScaler(env.action_space)
            self._context = self._module.draw_context(1, generator)

    @torch.no_grad()
    def __call__(self, obs: np.ndarray) -> np.ndarray:
        batch = torch.as_tensor(obs, dtype=torch.float32)[None]
        if self._is_ours:
            action = self._module.act(batch, self._context, self._generator, self._explore)
            return self._scale(action[0].cpu().numpy())
        outputs = self._module.forward_inference({Columns.OBS: batch})
        if Columns.ACTIONS in outputs:
            return outputs[Columns.ACTIONS][0].cpu().numpy()
        return self._from_distribution(outputs[Columns.ACTION_DIST_INPUTS])

    def _from_distribution(self, inputs: torch.Tensor) -> np.ndarray:
        """Stock RLlib modules return distribution parameters; draw from them or take the mode."""
        distribution = self._module.get_inference_action_dist_cls().from_logits(inputs)
        if not self._explore:
            return distribution.to_deterministic().sample()[0].cpu().numpy()
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(int(torch.randint(2**31, (1,), generator=self._generator)))
            return distribution.sample()[0].cpu().numpy()
