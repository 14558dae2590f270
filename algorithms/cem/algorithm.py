"""The cross-entropy method as an RLlib algorithm."""

from typing import Any

import numpy as np
from ray.rllib.utils.typing import StateDict

from expedition.algorithms.cem.config import CEMConfig
from expedition.algorithms.cem.learner import Generation
from expedition.algorithms.cem.population import ActingMembers, PerceptronLayout, drawn
from expedition.algorithms.core.episodes import show_episodes
from expedition.algorithms.core.on_policy import OnPolicy
from expedition.envs.coverage import CoverageTracker, tracker_for


class CEM(OnPolicy):
    """Draw a generation of policies, run whole episodes of each, fit the Gaussian to the best."""

    config: CEMConfig

    def setup(self, config: CEMConfig) -> None:
        """Build everything, and the coverage tracker."""
        super().setup(config)
        env = self.sampler.sampler(self.config.population, self.config.episodes_per_member).env
        observations, actions = env.single_observation_space, env.single_action_space
        sizes = (observations.shape[0], *self.config.hidden_sizes, actions.shape[0])
        self._layout = PerceptronLayout(sizes)
        self._tracker = tracker_for(env)

    @classmethod
    def get_default_config(cls) -> CEMConfig:
        """Default settings."""
        return CEMConfig()

    def training_step(self) -> None:
        """One generation, all of whose episodes run in lock-step."""
        population = self.config.population
        members = self.draw_members()
        policy = ActingMembers(self._layout, members, self.config.activation)
        batch = self.sampler.sample(
            policy, self.generators(0, population), self.config.episodes_per_member
        )
        if self._tracker is not None:
            show_episodes(self._tracker, batch)
        self.report_episodes(batch)
        self.learn(Generation(members, batch.returns.mean(1)))

    def draw_members(self) -> np.ndarray:
        """The next generation ``[M, P]``, with the extra variance that is left."""
        state = self.policy_state()
        left = max(0.0, 1.0 - self.updates / self.config.extra_decay_generations)
        std = np.sqrt(np.square(state["std"]) + self.config.extra_std**2 * left)
        (generator,) = self.generators(1, 1)
        return drawn(state["mean"], std, self.config.population, generator)

    def coverage_tracker(self) -> CoverageTracker | None:
        """What all members have visited so far."""
        return self._tracker

    def get_state(self, *args: Any, **kwargs: Any) -> StateDict:
        """The base's state and the tracker."""
        state = super().get_state(*args, **kwargs)
        state["tracker"] = self._tracker.state_dict() if self._tracker else None
        return state

    def set_state(self, state: StateDict) -> None:
        """Restore what ``get_state`` returned."""
        super().set_state(state)
        if self._tracker is not None and state.get("tracker") is not None:
            self._tracker.load_state_dict(state["tracker"])
