"""Trust-region policy optimisation and REINFORCE as RLlib algorithms."""

from typing import Any

import numpy as np
from ray.rllib.utils.typing import ResultDict, StateDict

from expedition.algorithms.core.episodes import Actor, EpisodeBatch, joined, show_episodes
from expedition.algorithms.core.evaluation import Arrays
from expedition.algorithms.core.gaussian_policy import ActingPolicy
from expedition.algorithms.core.on_policy import OnPolicy
from expedition.algorithms.implicit_policy.flow_policy import ActingFlow
from expedition.algorithms.trpo.config import PolicyGradientConfig, ReinforceConfig, TRPOConfig
from expedition.envs.coverage import CoverageTracker, tracker_for
from expedition.envs.tasks import tasks_of


class PolicyGradient(OnPolicy):
    """Sample a batch of whole episodes, update, repeat.

    With ``tasks`` M there are M policies, and what iteration k measured before its update is
    reported as ``adapt/return_k`` and ``adapt/reach_k``, means over the tasks.
    """

    config: PolicyGradientConfig

    def setup(self, config: PolicyGradientConfig) -> None:
        """Build everything; draw the tasks or, without, a coverage tracker."""
        super().setup(config)
        copies = self.config.num_envs_per_env_runner
        env = self.sampler.sampler(max(1, self.config.tasks), copies).env
        self.task_batch: np.ndarray | None = None
        self._tracker: CoverageTracker | None = None
        if self.config.tasks:
            self.task_batch = tasks_of(env, self.config.task_split)[: self.config.tasks]
        else:
            self._tracker = tracker_for(env)
        self._curve: list[tuple[float, float]] = []  # return and reach of every iteration

    def training_step(self) -> None:
        """Sample with the present policies, then make one update of each."""
        batch = self.sample()
        self._curve.append((float(batch.returns.mean()), float(batch.reached.mean())))
        self.report_episodes(batch)
        self.learn(batch)

    def sample(self) -> EpisodeBatch:
        """Episodes of every task, until each has ``batch_steps`` steps."""
        policy = self.actor()
        generators = self.generators(0, max(1, self.config.tasks))
        rounds: list[EpisodeBatch] = []
        steps = np.zeros(len(generators), dtype=int)
        while steps.min() < self.config.batch_steps:
            rounds.append(
                self.sampler.sample(
                    policy, generators, self.config.num_envs_per_env_runner, self.task_batch
                )
            )
            steps += rounds[-1].mask.sum((1, 2))
        if self._tracker is not None:
            for batch in rounds:
                show_episodes(self._tracker, batch)
        return joined(rounds, axis=1)

    def actor(self) -> Actor:
        """The present policies."""
        return ActingPolicy(self.policy_parameters(), self.config.activation)

    def step(self) -> ResultDict:
        """One iteration; see the class for what is added with ``tasks``."""
        results = super().step()
        if self.config.tasks:
            results["adapt"] = {
                f"{name}_{k}": pair[index]
                for index, name in enumerate(("return", "reach"))
                for k, pair in enumerate(self._curve)
            }
        return results

    def coverage_tracker(self) -> CoverageTracker | None:
        """What training has visited so far, on one environment."""
        return self._tracker

    def coverage_arrays(self) -> Arrays:
        """Arrays for figures; with ``tasks`` also ``eval/adapt_return`` and ``eval/adapt_reach``.

        Both are over iterations.
        """
        arrays = super().coverage_arrays()
        if self.config.tasks and self._curve:
            returns, reach = np.array(self._curve).T
            arrays |= {"eval/adapt_return": returns, "eval/adapt_reach": reach}
        return arrays

    def get_state(self, *args: Any, **kwargs: Any) -> StateDict:
        """The base's state, the curve and the tracker."""
        state = super().get_state(*args, **kwargs)
        state["curve"] = [list(pair) for pair in self._curve]
        state["tracker"] = self._tracker.state_dict() if self._tracker else None
        return state

    def set_state(self, state: StateDict) -> None:
        """Restore what ``get_state`` returned."""
        super().set_state(state)
        if "curve" in state:
            self._curve = [(pair[0], pair[1]) for pair in state["curve"]]
            if self._tracker is not None:
                self._tracker.load_state_dict(state["tracker"])


class TRPO(PolicyGradient):
    """Trust-region policy optimisation."""

    config: TRPOConfig

    @classmethod
    def get_default_config(cls) -> TRPOConfig:
        """Default settings."""
        return TRPOConfig()

    def actor(self) -> Actor:
        """The present policy or policies."""
        if self.config.policy == "gaussian":
            return super().actor()
        module = self.env_runner.module
        if not self._shares_policy:
            module.set_state(self.policy_state())
        return ActingFlow(module.policy)


class Reinforce(PolicyGradient):
    """REINFORCE."""

    @classmethod
    def get_default_config(cls) -> ReinforceConfig:
        """Default settings."""
        return ReinforceConfig()
