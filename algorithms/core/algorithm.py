"""The off-policy algorithm: collect a fragment, learn from the replay, repeat."""

import copy
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
        self._eval_tracker: CoverageTracker | None = None
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
        under ``historical``. Every evaluation starts from a seed of its own, a function of the
        config's seed and the iteration: it neither depends on earlier ones nor disturbs training.
        """
        del parallel_train_future
        episodes = self.config.evaluation_duration
        newest = self.policy_state()
        results, self._eval_tracker = self._measure([(newest, episodes)])
        if self.history.snapshots:
            rng = np.random.default_rng((self.config.seed or 0, self.iteration))
            plan = self.history.plan(newest, episodes, rng)
            results["historical"], self._eval_tracker = self._measure(plan)
        return results

    def coverage_tracker(self) -> CoverageTracker | None:
        """What all training runners have visited so far, merged."""
        return _merged(self._each_runner(_get_tracker))

    def coverage_arrays(self) -> dict[str, np.ndarray]:
        """Visitation arrays for figures, ``train/<name>`` and, once evaluated, ``eval/<name>``."""
        arrays: dict[str, np.ndarray] = {}
        trackers = {"train": self.coverage_tracker(), "eval": self._eval_tracker}
        for phase, tracker in trackers.items():
            if tracker is not None:
                arrays |= {f"{phase}/{name}": array for name, array in tracker.arrays().items()}
        return arrays

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

    def _measure(
        self, plan: list[tuple[StateDict, int]]
    ) -> tuple[ResultDict, CoverageTracker | None]:
        """Run planned numbers of episodes of given policies; returns statistics and coverage."""
        parts = [
            part
            for index, (weights, episodes) in enumerate(plan)
            for part in self._run_episodes(weights, episodes, index)
        ]
        returns = np.concatenate([scores["returns"] for scores, _ in parts])
        lengths = np.concatenate([scores["lengths"] for scores, _ in parts])
        results: ResultDict = {
            "return_mean": float(returns.mean()),
            "length_mean": float(lengths.mean()),
            "episodes": len(returns),
        }
        tracker = _merged([tracker for _, tracker in parts])
        if tracker is not None:
            results["coverage"] = tracker.metrics()
        return results, tracker

    def _run_episodes(
        self, weights: StateDict, num_episodes: int, salt: int
    ) -> list[tuple[dict[str, np.ndarray], CoverageTracker | None]]:
        group = self.eval_env_runner_group
        if group is None:
            raise ValueError(
                "no evaluation runners: call config.evaluation(evaluation_interval=..., ...)"
            )
        runners = max(1, group.num_healthy_remote_workers())
        request = {
            "weights": weights,
            "num_episodes": -(-num_episodes // runners),
            "explore": bool(self.evaluation_config.explore),
            "seed": (self.config.seed or 0) + 1_000_003 * (self.iteration + 1) + 7919 * salt,
        }
        return group.foreach_env_runner(
            lambda runner: _evaluate_runner(runner, **request),
            local_env_runner=not group.num_remote_workers(),
        )

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


def _merged(trackers: list[CoverageTracker | None]) -> CoverageTracker | None:
    present = [tracker for tracker in trackers if tracker is not None]
    if not present:
        return None
    if len(present) == 1:
        return present[0]
    merged = copy.deepcopy(present[0])  # what comes from another process is read-only
    for other in present[1:]:
        merged.merge(other)
    return merged


def _get_metrics(runner: TransitionEnvRunner) -> ResultDict:
    return runner.get_metrics()


def _get_tracker(runner: TransitionEnvRunner) -> CoverageTracker | None:
    return runner.tracker


def _get_rollout(runner: TransitionEnvRunner) -> StateDict:
    return runner.get_state(components=COMPONENT_ROLLOUT)[COMPONENT_ROLLOUT]


def _pop_statistics(learner: OffPolicyLearner) -> dict[str, float]:
    return learner.pop_statistics()


def _evaluate_runner(
    runner: TransitionEnvRunner, weights: StateDict, num_episodes: int, explore: bool, seed: int
) -> tuple[dict[str, np.ndarray], CoverageTracker | None]:
    runner.module.set_state(weights)
    runner.restart(seed + (runner.worker_index or 0))
    return runner.sample_episodes(num_episodes, explore), runner.tracker
