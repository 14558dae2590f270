"""The off-policy algorithm: collect a fragment, learn from the replay, repeat."""

from typing import Any

import numpy as np
import ray
import torch
from ray.rllib.algorithms.algorithm import Algorithm
from ray.rllib.core import COMPONENT_LEARNER, COMPONENT_RL_MODULE, DEFAULT_MODULE_ID
from ray.rllib.utils.metrics import ENV_RUNNER_RESULTS, LEARNER_RESULTS
from ray.rllib.utils.typing import ResultDict, StateDict

from expedition.algorithms.core.config import OffPolicyConfig
from expedition.algorithms.core.env_runner import (
    COMPONENT_ROLLOUT,
    TransitionEnvRunner,
    Transitions,
)
from expedition.algorithms.core.errors import EnvRunnersLostError
from expedition.algorithms.core.evaluation import Arrays, evaluate, merged, named_arrays
from expedition.algorithms.core.history import PolicyHistory
from expedition.algorithms.core.learner import OffPolicyLearner, as_train_batch
from expedition.algorithms.core.rllib import local_learner
from expedition.envs.coverage import CoverageTracker

_LOST_RUNNER_ATTEMPTS = 5


class OffPolicy(Algorithm):
    """Base of the off-policy methods; a subclass names its config, module and learner."""

    config: OffPolicyConfig

    def setup(self, config: OffPolicyConfig) -> None:
        """Build runners and learner (RLlib); in one process they share the policy's memory."""
        super().setup(config)
        self.env_steps = 0
        self.updates = 0
        self.history = PolicyHistory(
            self.config.num_historical_policies,
            self.config.historical_weighting,
            self.config.historical_base,
            self.config.historical_newest_probability,
        )
        self._eval_arrays: Arrays = {}  # of the last evaluation
        self._set_threads()
        self._shares_policy = self._share_policy()

    def training_step(self) -> None:
        """Collect ``iteration_steps`` environment steps and make the updates they are due.

        The number of gradient steps is exact over a run: after n environment steps past the
        warm-up, floor(n * updates_per_step) have been made.
        """
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
        if self.history.size and (self.iteration + 1) % self.config.historical_every == 0:
            self.history.add(self.policy_state())
        self._report()

    def step(self) -> ResultDict:
        """One iteration: RLlib's results, with coverage metrics and exact counters added."""
        before = self.env_steps
        results = super().step()
        results["env_steps"] = self.env_steps
        results["env_steps_this_iter"] = self.env_steps - before
        results["updates"] = self.updates
        tracker = self.coverage_tracker()
        if tracker is not None:
            results["coverage"] = tracker.metrics()
        return results

    def evaluate(self, parallel_train_future: Any = None) -> ResultDict:
        """Run ``evaluation_duration`` episodes of the current policy on the evaluation runners.

        Where the config asks for a historical average, the same number of episodes of it follow,
        under ``historical``; where it asks for the skills one by one, so many of each, under
        ``skills``. See ``expedition.algorithms.core.evaluation``.
        """
        del parallel_train_future
        results, self._eval_arrays = evaluate(self)
        return results

    def coverage_tracker(self) -> CoverageTracker | None:
        """What all training runners have visited so far, merged."""
        return merged(self._each_runner(_get_tracker))

    def coverage_arrays(self) -> Arrays:
        """Arrays for figures: ``train/<name>``, and those of the last evaluation.

        ``eval/<name>`` is the newest policy's, ``eval/historical/<name>`` the historical average's,
        ``eval/skill-<k>/<name>`` a single skill's.
        """
        return named_arrays("train", self.coverage_tracker()) | self._eval_arrays

    def policy_state(self) -> StateDict:
        """Weights of the policy alone, as NumPy arrays."""
        return self.learner_group.get_state(
            components=f"{COMPONENT_LEARNER}/{COMPONENT_RL_MODULE}", inference_only=True
        )[COMPONENT_LEARNER][COMPONENT_RL_MODULE][DEFAULT_MODULE_ID]

    def get_state(self, *args: Any, **kwargs: Any) -> StateDict:
        """RLlib's state, the counters and the rollout state of every remote runner."""
        state = super().get_state(*args, **kwargs)
        state["counters"] = {"env_steps": self.env_steps, "updates": self.updates}
        state["history"] = self.history.state_dict()
        state["evaluation_arrays"] = dict(self._eval_arrays)
        if self.config.num_env_runners:
            state["remote_rollouts"] = self._each_runner(_get_rollout)
        return state

    def set_state(self, state: StateDict) -> None:
        """Restore what ``get_state`` returned."""
        super().set_state(state)
        if "counters" in state:
            self.env_steps = int(state["counters"]["env_steps"])
            self.updates = int(state["counters"]["updates"])
            self.history.load_state_dict(state["history"])
            self._eval_arrays = dict(state.get("evaluation_arrays", {}))
        if self.config.num_env_runners and "remote_rollouts" in state:
            self._restore_rollouts(state["remote_rollouts"])

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

    def _each_runner(self, function: Any) -> list[Any]:
        """Apply to the runners that collect: the local one, or else all remote ones."""
        return self.env_runner_group.foreach_env_runner(
            function, local_env_runner=not self.config.num_env_runners
        )

    def _restore_rollouts(self, rollouts: list[StateDict]) -> None:
        ids = self.env_runner_group.healthy_worker_ids()
        for index, rollout in zip(ids, rollouts, strict=False):
            self.env_runner_group.foreach_env_runner(
                "set_state",
                kwargs={"state": {COMPONENT_ROLLOUT: rollout}},
                local_env_runner=False,
                remote_worker_ids=[index],
            )

    def _set_threads(self) -> None:
        threads = self.config.torch_threads
        context = ray.get_runtime_context() if ray.is_initialized() else None
        if threads is None and context is not None and context.get_actor_id():
            assigned = context.get_assigned_resources()
            threads = int(assigned.get("CPU", 0)) or None
        if threads is not None:
            torch.set_num_threads(threads)

    def _share_policy(self) -> bool:
        """Let the local runner act with the learner's own tensors, if both are on the CPU."""
        learner = local_learner(self.learner_group)
        runner = self.env_runner
        if self.config.num_env_runners or learner is None or learner.device.type != "cpu":
            return False
        source = dict(learner.module[DEFAULT_MODULE_ID].named_parameters())
        for name, parameter in runner.module.named_parameters():
            parameter.data = source[name].data
        return True


def _get_metrics(runner: TransitionEnvRunner) -> ResultDict:
    return runner.get_metrics()


def _get_tracker(runner: TransitionEnvRunner) -> CoverageTracker | None:
    return runner.tracker


def _get_rollout(runner: TransitionEnvRunner) -> StateDict:
    return runner.get_state(components=COMPONENT_ROLLOUT)[COMPONENT_ROLLOUT]


def _pop_statistics(learner: OffPolicyLearner) -> dict[str, float]:
    return learner.pop_statistics()
