"""A tiny family of tasks for tests: a point on a line, rewarded for being near its task."""

from typing import Any

import gymnasium as gym
import numpy as np

HORIZON = 8
ENV_ID = "TaskWalk-v0"


class TaskWalk(gym.Env):
    """Starts near 0, moves by its action; ends at 3 or after 8 steps (the wrapper's limit)."""

    def __init__(self, reward: str = "dense", start_noise: float = 0.1) -> None:
        self.observation_space = gym.spaces.Box(-np.inf, np.inf, (1,), np.float64)
        self.action_space = gym.spaces.Box(-0.5, 0.5, (1,), np.float32)
        self.sparse, self.start_noise = reward == "sparse", start_noise
        self.set_task(np.array([1.0]))

    def tasks(self, split: str) -> np.ndarray:
        shift = {"train": 0.0, "validation": 0.05}[split]
        return np.linspace(-2, 2, 10)[:, None] + shift

    def set_task(self, task: np.ndarray) -> None:
        self._next = float(np.asarray(task)[0])

    def reset(self, *, seed: int | None = None, options: Any = None) -> tuple[np.ndarray, dict]:
        super().reset(seed=seed)
        self._task = self._next
        self._x = self.start_noise * self.np_random.normal()
        return np.array([self._x]), {"reached": self._reached()}

    def step(self, action: np.ndarray) -> tuple[np.ndarray, float, bool, bool, dict]:
        self._x += float(np.clip(action, -0.5, 0.5)[0])
        distance = abs(self._x - self._task)
        reward = -2.0 if self.sparse and not self._reached() else -distance
        return np.array([self._x]), reward, self._x > 3, False, {"reached": self._reached()}

    def _reached(self) -> bool:
        return abs(self._x - self._task) <= 0.3


gym.register(ENV_ID, TaskWalk, max_episode_steps=HORIZON)
