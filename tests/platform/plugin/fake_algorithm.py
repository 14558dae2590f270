"""A method that learns in no time: an RLlib algorithm for tests of the platform.

It is found as a third party's method would be, through the entry point in the folder beside this
file, which the tests put on the path.
"""

from __future__ import annotations

import json
import math
import os
import time
from pathlib import Path
from typing import Any

import numpy as np
from ray.rllib.algorithms.algorithm import Algorithm
from ray.rllib.algorithms.algorithm_config import AlgorithmConfig


class FakeConfig(AlgorithmConfig):
    """Settings of the fake method."""

    def __init__(self, algo_class: type | None = None) -> None:
        super().__init__(algo_class or Fake)
        self.num_env_runners = 0
        self.iteration_steps = 10
        self.gain = 1.0  # reward the method converges to
        self.sleep_s = 0.0  # of an iteration
        self.nan_at = -1  # env step at which the loss becomes NaN
        self.die_at = -1  # env step at which the process dies, once
        self.deaths = ""  # folder in which that is noted
        self.refuse = False  # a setting that validation refuses

    def validate(self) -> None:
        super().validate()
        if self.refuse:
            raise ValueError("refuse=True: must be False")


class Fake(Algorithm):
    """A random walk with drift towards ``gain``: every step depends on all before it."""

    @classmethod
    def get_default_config(cls) -> FakeConfig:
        return FakeConfig()

    def setup(self, config: FakeConfig) -> None:
        self.config = config
        self.random = np.random.default_rng(config.seed)
        self.level = 0.0
        self.env_steps = 0

    def step(self) -> dict[str, Any]:
        time.sleep(self.config.sleep_s)
        for _ in range(self.config.iteration_steps):
            self.env_steps += 1
            noise = 0.1 * self.random.standard_normal()
            self.level += 0.01 * (self.config.gain - self.level) + 0.01 * noise
        self._maybe_die()
        nan = 0 <= self.config.nan_at <= self.env_steps
        return {
            "env_steps": self.env_steps,
            "env_steps_this_iter": self.config.iteration_steps,
            "updates": self.env_steps,
            "env_runners": {"episode_return_mean": self.level, "episode_len_mean": 10.0},
            "coverage": {"level": abs(self.level)},
            "learners": {
                "default_policy": {"critic_loss": math.nan if nan else 1.0 / self.env_steps}
            },
        }

    def _maybe_die(self) -> None:
        if not 0 <= self.config.die_at <= self.env_steps:
            return
        marker = Path(self.config.deaths) / f"seed_{self.config.seed}"
        if not marker.exists():
            marker.touch()
            os._exit(1)

    def coverage_arrays(self) -> dict[str, np.ndarray]:
        return {"train/visits": np.full((2, 2), self.env_steps)}

    def save_to_path(self, path: str) -> str:
        state = {
            "random": self.random.bit_generator.state,
            "level": self.level.hex(),
            "env_steps": self.env_steps,
            "gain": self.config.gain,
        }
        (Path(path) / "fake.json").write_text(json.dumps(state), encoding="utf-8")
        return path

    def restore_from_path(self, path: str) -> None:
        state = json.loads((Path(path) / "fake.json").read_text(encoding="utf-8"))
        self.random.bit_generator.state = state["random"]
        self.level = float.fromhex(state["level"])
        self.env_steps = state["env_steps"]

    def log_result(self, result: dict[str, Any]) -> None:
        """RLlib's timers for this belong to the set-up that this class leaves out."""

    def cleanup(self) -> None:
        """Nothing to stop."""
