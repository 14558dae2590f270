"""Imitation as RLlib algorithms: nothing is collected but by evaluations."""

from itertools import islice
from typing import Any

import numpy as np
import torch
from ray.rllib.core import DEFAULT_MODULE_ID
from ray.rllib.utils.metrics import LEARNER_RESULTS
from ray.rllib.utils.typing import ResultDict

from expedition.algorithms.core.evaluation import Arrays
from expedition.algorithms.core.module import ActionScaler
from expedition.algorithms.core.runner_algorithm import RunnerAlgorithm
from expedition.algorithms.implicit_policy.imitation.comparison import ActionComparison
from expedition.algorithms.implicit_policy.imitation.config import (
    CloneConfig,
    GANImitationConfig,
    ImitationConfig,
)
from expedition.algorithms.implicit_policy.imitation.sources import load
from expedition.algorithms.implicit_policy.imitation.trajectories import DatasetError, Trajectories
from expedition.envs.coverage import tracker_for

EXPERT_PATHS = 40  # in figures


class Imitation(RunnerAlgorithm):
    """Base of the imitating methods: gradient steps on pairs of the demonstrations.

    ``env_steps`` counts gradient steps, so that budgets and axes mean something. What an evaluation
    compares with the demonstrations is reported under ``imitation``.
    """

    config: ImitationConfig

    def setup(self, config: ImitationConfig) -> None:
        """Build everything and give the learner the demonstrations."""
        super().setup(config)
        own = self.config
        self.demonstrations = load(
            own.demonstrations, own.demonstration_episodes, own.demonstration_seed
        )
        observations, actions = self._checked(self.demonstrations)
        answers = self.learner_group.foreach_learner(
            lambda learner: learner.take(observations, actions)
        )
        next(iter(answers)).get()
        self._expert_paths = self._paths_of(self.demonstrations)
        self._comparison = ActionComparison(
            observations,
            actions,
            axis=own.compare_axis,
            centres=own.compare_at,
            half_width=own.compare_half_width,
            bins=own.compare_bins,
        )

    def training_step(self) -> None:
        """Make ``iteration_updates`` gradient steps."""
        updates = self.config.iteration_updates
        answers = self.learner_group.foreach_learner(lambda learner: learner.learn(updates))
        statistics = next(iter(answers)).get()
        self.updates += updates
        self.env_steps = self.updates
        self.metrics.log_dict(statistics, key=(LEARNER_RESULTS, DEFAULT_MODULE_ID), window=1)

    def evaluate(self, parallel_train_future: Any = None) -> ResultDict:
        """Run episodes, and compare actions in the demonstrated states.

        The arrays of the comparison are ``eval/expert_actions`` and ``eval/learner_actions``;
        beside the environment's ``eval/paths``, ``eval/expert_paths``.
        """
        results = super().evaluate(parallel_train_future)
        module = self.env_runner.module
        if not self._shares_policy:
            module.set_state(self.policy_state())
        seed = (self.config.seed or 0) + 1_000_003 * (self.iteration + 1)
        generator = torch.Generator().manual_seed(seed)

        def draw(observations: np.ndarray) -> np.ndarray:
            obs = torch.as_tensor(observations, dtype=torch.float32)
            with torch.no_grad():
                return module.draw(obs, generator).numpy()

        results["imitation"] = self._comparison.metrics(draw)
        pairs = self._comparison.pairs(draw)
        self._eval_arrays |= {f"eval/{name}": array for name, array in pairs.items()}
        self._eval_arrays |= self._expert_paths
        return results

    def coverage_tracker(self) -> None:
        """None: training visits nothing."""

    def _paths_of(self, found: Trajectories) -> Arrays:
        """The environment's ``paths`` of some demonstrations, if it has such an array."""
        tracker = tracker_for(self.env_runner.env)
        if tracker is None or "paths" not in tracker.arrays():
            return {}
        every = -(-found.episodes // EXPERT_PATHS)  # of pooled experts, so many of each
        for reached in islice(found.reached(), 0, None, every):
            ends = np.arange(len(reached)) == len(reached) - 1
            tracker.update(reached[:, None], ends[:, None])
        return {"eval/expert_paths": tracker.arrays()["paths"]}

    def _checked(self, found: Trajectories) -> tuple[np.ndarray, np.ndarray]:
        """Observations, and actions in units of the bounds, if they fit the environment."""
        module = self.env_runner.module
        widths = {
            "observations": (found.observations.shape[1], module.obs_dim),
            "actions": (found.actions.shape[1], module.action_dim),
        }
        for name, (given, needed) in widths.items():
            if given != needed:
                raise DatasetError(
                    f"demonstrations '{self.config.demonstrations}' have {name} of {given} numbers,"
                    f" {self.config.env} of {needed}"
                )
        if self.config.compare_axis >= module.obs_dim:
            raise ValueError(
                f"compare_axis={self.config.compare_axis}: observations have {module.obs_dim} "
                "coordinates"
            )
        return found.observations, ActionScaler(module.action_space).inverse(found.actions)


class Clone(Imitation):
    """Cloning by maximum likelihood."""

    config: CloneConfig

    @classmethod
    def get_default_config(cls) -> CloneConfig:
        """Default settings."""
        return CloneConfig()


class GANImitation(Imitation):
    """Imitation by a discriminator."""

    config: GANImitationConfig

    @classmethod
    def get_default_config(cls) -> GANImitationConfig:
        """Default settings."""
        return GANImitationConfig()
