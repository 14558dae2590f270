"""The off-policy algorithm: collect a fragment, learn from the replay, repeat."""

from typing import Any

import numpy as np
import ray
from ray.rllib.core import DEFAULT_MODULE_ID
from ray.rllib.utils.metrics import ENV_RUNNER_RESULTS, LEARNER_RESULTS
from ray.rllib.utils.typing import ResultDict, StateDict

from expedition.algorithms.core.config import OffPolicyConfig
from expedition.algorithms.core.env_runner import TransitionEnvRunner, Transitions
from expedition.algorithms.core.errors import EnvRunnersLostError
from expedition.algorithms.core.evaluation import evaluate
from expedition.algorithms.core.history import PolicyHistory
from expedition.algorithms.core.learner import OffPolicyLearner, as_train_batch
from expedition.algorithms.core.runner_algorithm import RunnerAlgorithm

_LOST_RUNNER_ATTEMPTS = 5


class OffPolicy(RunnerAlgorithm):
    """Base of the off-policy methods; a subclass names its config, module and learner."""

    config: OffPolicyConfig

    def setup(self, config: OffPolicyConfig) -> None:
        """Build runners and learner, and the store of past policies."""
        super().setup(config)
        self.history = PolicyHistory(
            self.config.num_historical_policies,
            self.config.historical_weighting,
            self.config.historical_base,
            self.config.historical_newest_probability,
        )

    def training_step(self) -> None:
        """Collect ``iteration_steps`` environment steps and make the updates they are due.

        The number of gradient steps is exact over a run: after n environment steps past the
        warm-up, floor(n * updates_per_step) have been made.
        """
        self._keep_policy()
        end = self.env_steps + self.config.iteration_steps
        while self.env_steps < end:
            transitions = self._collect()
            self.env_steps += len(transitions["rewards"])
            due = int(
                max(0, self.env_steps - self.config.warmup_steps) * self.config.updates_per_step
            )
            self.learner_group.update(
                batch=as_train_batch(transitions),
                num_updates=due - self.updates,
                env_steps=self.env_steps,
            )
            self.updates = due
        self._report()

    def evaluate(self, parallel_train_future: Any = None) -> ResultDict:
        """Run ``evaluation_duration`` episodes of the current policy on the evaluation runners.

        Where the config asks for a historical average, the same number of episodes of it follow,
        under ``historical``; where it asks for the skills one by one, so many of each, under
        ``skills``. The arrays of the newest policy are ``eval/<name>``, of the historical average
        ``eval/historical/<name>``, of a single skill ``eval/skill-<k>/<name>``.
        """
        del parallel_train_future
        results, self._eval_arrays = evaluate(self)
        return results

    def get_state(self, *args: Any, **kwargs: Any) -> StateDict:
        """The base's state and the past policies."""
        state = super().get_state(*args, **kwargs)
        state["history"] = self.history.state_dict()
        return state

    def set_state(self, state: StateDict) -> None:
        """Restore what ``get_state`` returned."""
        super().set_state(state)
        if "history" in state:
            self.history.load_state_dict(state["history"])

    def _keep_policy(self) -> None:
        """Keep a snapshot of the policy with which an iteration starts, if it is due.

        The first is the untrained policy. The newest policy is in no snapshot: an evaluation adds
        it by itself.
        """
        if self.history.size and self.iteration % self.config.historical_every == 0:
            self.history.add(self.policy_state())

    def _collect(self) -> Transitions:
        is_warmup = self.env_steps < self.config.warmup_steps
        request = {
            "num_steps": self.config.fragment_steps,
            "random_actions": is_warmup and self.config.warmup_actions == "uniform",
        }
        if self._shares_policy:
            return self.env_runner.sample(**request)
        if not self.config.num_env_runners:
            return self.env_runner.sample(**request, weights=self.policy_state())
        request["weights"] = ray.put(self.policy_state())
        for _attempt in range(_LOST_RUNNER_ATTEMPTS):
            parts = self.env_runner_group.foreach_env_runner(
                "sample", kwargs=request, local_env_runner=False
            )
            if parts:
                return {name: np.concatenate([p[name] for p in parts]) for name in parts[0]}
            self.restore_env_runners(self.env_runner_group)
        raise EnvRunnersLostError(
            f"all {self.config.num_env_runners} env runners are lost at env step "
            f"{self.env_steps}; resume from the last checkpoint"
        )

    def _report(self) -> None:
        statistics = self.learner_group.foreach_learner(_pop_statistics)
        means = next(iter(statistics)).get()
        self.metrics.log_dict(means, key=(LEARNER_RESULTS, DEFAULT_MODULE_ID), window=1)
        runner_metrics = self._each_runner(_get_metrics)
        self.metrics.aggregate(runner_metrics, key=ENV_RUNNER_RESULTS)


def _get_metrics(runner: TransitionEnvRunner) -> ResultDict:
    return runner.get_metrics()


def _pop_statistics(learner: OffPolicyLearner) -> dict[str, float]:
    return learner.pop_statistics()
