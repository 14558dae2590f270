"""The on-policy algorithm: sample whole episodes, learn from them once, forget them."""

from typing import Any

import numpy as np
from ray.rllib.core import DEFAULT_MODULE_ID
from ray.rllib.utils.metrics import ENV_RUNNER_RESULTS, LEARNER_RESULTS
from ray.rllib.utils.typing import StateDict

from expedition.algorithms.core.episodes import EpisodeBatch
from expedition.algorithms.core.on_policy_config import OnPolicyConfig
from expedition.algorithms.core.runner_algorithm import RunnerAlgorithm
from expedition.algorithms.core.task_sampler import TaskSampler

EPISODES = "num_episodes_lifetime"


class OnPolicy(RunnerAlgorithm):
    """Base of the on-policy methods; RLlib's env runner serves spaces and evaluation alone."""

    config: OnPolicyConfig

    def setup(self, config: OnPolicyConfig) -> None:
        """Build learner and runner (RLlib), and the sampler of this process."""
        super().setup(config)
        self.episodes = 0
        self.sampler = TaskSampler(
            self.config.env, dict(self.config.env_config), self.config.gym_env_vectorize_mode
        )

    def cleanup(self) -> None:
        """Close the environments."""
        self.sampler.close()
        super().cleanup()

    def learn(self, batch: Any) -> None:
        """Let the learner make one update from ``batch`` and report its statistics."""
        steps, updates = self.env_steps, self.updates
        answers = self.learner_group.foreach_learner(
            lambda learner: learner.learn(batch, steps, updates)
        )
        self.updates += 1
        statistics = next(iter(answers)).get()
        self.metrics.log_dict(statistics, key=(LEARNER_RESULTS, DEFAULT_MODULE_ID), window=1)

    def policy_parameters(self, weights: StateDict | None = None) -> dict[str, np.ndarray]:
        """Parameters of the policy by name, for an ``ActingPolicy``.

        Args:
            weights: The module's, if they are at hand.
        """
        prefix = "policy."
        return {
            name.removeprefix(prefix): np.asarray(value)
            for name, value in (weights or self.policy_state()).items()
            if name.startswith(prefix)
        }

    def generators(self, stage: int, tasks: int) -> list[np.random.Generator]:
        """Random numbers of this update's episodes: one stream for each task of the batch.

        Args:
            stage: Which of several batches of the update.
            tasks: Number of tasks.
        """
        seed = self.config.seed or 0
        return [np.random.default_rng([seed, self.updates, stage, k]) for k in range(tasks)]

    def report_episodes(self, batch: EpisodeBatch) -> None:
        """Count the steps of a batch and report its returns as training's."""
        self.env_steps += batch.env_steps
        self.episodes += batch.returns.size
        values = {
            "episode_return_mean": float(batch.returns.mean()),
            "episode_len_mean": float(batch.lengths.mean()),
            EPISODES: self.episodes,
        }
        for name, value in values.items():
            self.metrics.log_value((ENV_RUNNER_RESULTS, name), value, window=1)

    def get_state(self, *args: Any, **kwargs: Any) -> StateDict:
        """The base's state and the number of episodes."""
        state = super().get_state(*args, **kwargs)
        state["episodes"] = self.episodes
        return state

    def set_state(self, state: StateDict) -> None:
        """Restore what ``get_state`` returned."""
        super().set_state(state)
        if "episodes" in state:
            self.episodes = int(state["episodes"])
