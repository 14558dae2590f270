"""What every method here shares as an RLlib algorithm: counters, coverage, evaluation, state."""

from typing import Any

import ray
import torch
from ray.rllib.algorithms.algorithm import Algorithm
from ray.rllib.core import COMPONENT_LEARNER, COMPONENT_RL_MODULE, DEFAULT_MODULE_ID
from ray.rllib.utils.typing import ResultDict, StateDict

from expedition.algorithms.core.config import DeclaredConfig
from expedition.algorithms.core.env_runner import COMPONENT_ROLLOUT, TransitionEnvRunner
from expedition.algorithms.core.evaluation import Arrays, measure, merged, named_arrays
from expedition.algorithms.core.rllib import local_learner
from expedition.envs.coverage import CoverageTracker


class RunnerAlgorithm(Algorithm):
    """An RLlib algorithm on ``TransitionEnvRunner``; a subclass says how a training step goes."""

    config: DeclaredConfig

    def setup(self, config: DeclaredConfig) -> None:
        """Build runners and learner (RLlib); in one process they share the policy's memory."""
        super().setup(config)
        self.env_steps = 0
        self.updates = 0
        self._eval_arrays: Arrays = {}  # of the last evaluation
        self._set_threads()
        self._shares_policy = self._share_policy()

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
        """Run ``evaluation_duration`` episodes of the current policy on the evaluation runners."""
        del parallel_train_future
        results, tracker = measure(self, [(self.policy_state(), self.config.evaluation_duration)])
        self._eval_arrays = named_arrays("eval", tracker)
        return results

    def coverage_tracker(self) -> CoverageTracker | None:
        """What all training runners have visited so far, merged."""
        return merged(self._each_runner(_get_tracker))

    def coverage_arrays(self) -> Arrays:
        """Arrays for figures: ``train/<name>``, and those of the last ``evaluate``."""
        return named_arrays("train", self.coverage_tracker()) | self._eval_arrays

    def policy_state(self) -> StateDict:
        """Weights of the policy alone, as NumPy arrays."""
        return self.module_state(inference_only=True)

    def module_state(self, inference_only: bool = False) -> StateDict:
        """Weights of the learner's module, as NumPy arrays."""
        return self.learner_group.get_state(
            components=f"{COMPONENT_LEARNER}/{COMPONENT_RL_MODULE}", inference_only=inference_only
        )[COMPONENT_LEARNER][COMPONENT_RL_MODULE][DEFAULT_MODULE_ID]

    def get_state(self, *args: Any, **kwargs: Any) -> StateDict:
        """RLlib's state, the counters and the rollout state of every remote runner."""
        state = super().get_state(*args, **kwargs)
        state["counters"] = {"env_steps": self.env_steps, "updates": self.updates}
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
            self._eval_arrays = dict(state.get("evaluation_arrays", {}))
        if self.config.num_env_runners and "remote_rollouts" in state:
            self._restore_rollouts(state["remote_rollouts"])

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
        source = learner.module[DEFAULT_MODULE_ID].state_dict(keep_vars=True)
        for name, tensor in runner.module.state_dict(keep_vars=True).items():
            tensor.data = source[name].data
        return True


def _get_tracker(runner: TransitionEnvRunner) -> CoverageTracker | None:
    return runner.tracker


def _get_rollout(runner: TransitionEnvRunner) -> StateDict:
    return runner.get_state(components=COMPONENT_ROLLOUT)[COMPONENT_ROLLOUT]
