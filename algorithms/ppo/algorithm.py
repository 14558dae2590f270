"""Proximal policy optimisation and the advantage actor-critic as RLlib algorithms."""

from typing import Any

import ray
from ray.rllib.algorithms import ppo as rllib_ppo
from ray.rllib.core import DEFAULT_MODULE_ID
from ray.rllib.env.single_agent_episode import SingleAgentEpisode
from ray.rllib.utils.metrics import (
    ENV_RUNNER_RESULTS,
    LEARNER_RESULTS,
    NUM_ENV_STEPS_SAMPLED_LIFETIME,
)
from ray.rllib.utils.typing import ResultDict

from expedition.algorithms.core.errors import EnvRunnersLostError
from expedition.algorithms.core.runner_algorithm import RunnerAlgorithm
from expedition.algorithms.ppo.config import A2CConfig, PPOConfig

_LOST_RUNNER_ATTEMPTS = 5


class PPO(RunnerAlgorithm, rllib_ppo.PPO):
    """RLlib's PPO on our env runner: collect a batch, learn from it for some epochs, forget it."""

    config: PPOConfig

    @classmethod
    def get_default_config(cls) -> PPOConfig:
        """Default settings."""
        return PPOConfig()

    def training_step(self) -> None:
        """Collect one batch and learn from it."""
        self.learn_from_one_batch()
        self.report()

    def learn_from_one_batch(self) -> None:
        """Collect ``train_batch_size_per_learner`` steps, up to whole rows of copies; update."""
        chunks = self._collect()
        self.env_steps += sum(len(chunk) for chunk in chunks)
        self.learner_group.update(
            episodes=chunks, timesteps={NUM_ENV_STEPS_SAMPLED_LIFETIME: self.env_steps}
        )

    def report(self) -> None:
        """Put the learner's and the runners' statistics into the results."""
        learners = self.learner_group.foreach_learner(_get_statistics)
        statistics, self.updates = next(iter(learners)).get()
        self.metrics.log_dict(statistics, key=(LEARNER_RESULTS, DEFAULT_MODULE_ID), window=1)
        self.metrics.aggregate(self._each_runner(_get_metrics), key=ENV_RUNNER_RESULTS)

    def _collect(self) -> list[SingleAgentEpisode]:
        copies = self.config.env_copies
        steps = -(-self.config.train_batch_size_per_learner // copies)
        if self._shares_policy:
            return self.env_runner.sample_chunks(steps)
        if not self.config.num_env_runners:
            return self.env_runner.sample_chunks(steps, weights=self.policy_state())
        request: dict[str, Any] = {"num_steps": steps, "weights": ray.put(self.policy_state())}
        for _attempt in range(_LOST_RUNNER_ATTEMPTS):
            parts = self.env_runner_group.foreach_env_runner(
                "sample_chunks", kwargs=request, local_env_runner=False
            )
            if parts:
                return [chunk for part in parts for chunk in part]
            self.restore_env_runners(self.env_runner_group)
        raise EnvRunnersLostError(
            f"all {self.config.num_env_runners} env runners are lost at env step "
            f"{self.env_steps}; resume from the last checkpoint"
        )


class A2C(PPO):
    """Advantage actor-critic."""

    config: A2CConfig

    @classmethod
    def get_default_config(cls) -> A2CConfig:
        """Default settings."""
        return A2CConfig()

    def training_step(self) -> None:
        """Collect ``batches_per_iteration`` batches and make a gradient step from each."""
        for _ in range(self.config.batches_per_iteration):
            self.learn_from_one_batch()
        self.report()


def _get_statistics(learner: Any) -> tuple[dict[str, float], int]:
    return learner.pop_statistics(), learner.updates


def _get_metrics(runner: Any) -> ResultDict:
    return runner.get_metrics()
