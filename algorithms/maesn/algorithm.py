"""MAESN and LatentSpace as RLlib algorithms."""

from typing import Any

import numpy as np
from ray.rllib.utils.typing import ResultDict, StateDict

from expedition.algorithms.core.evaluation import Arrays, measure, named_arrays
from expedition.algorithms.core.meta import POST, PRE, TEST, MetaAlgorithm
from expedition.algorithms.maesn.config import LatentSpaceConfig, MAESNConfig
from expedition.algorithms.maesn.task_data import TaskData
from expedition.algorithms.maesn.worker import MAESNWorker

_LATENTS = ("means", "log_stds")


class MAESN(MetaAlgorithm):
    """Model-agnostic exploration with structured noise."""

    config: MAESNConfig
    worker_class = MAESNWorker

    @classmethod
    def get_default_config(cls) -> MAESNConfig:
        """Default settings."""
        return MAESNConfig()

    def training_step(self) -> None:
        """One meta-iteration (algorithm 1 of Gupta et al. 2018).

        Draw tasks; of each, run episodes with latents drawn from its own Gaussian, adapt the
        Gaussian, run episodes again; make one step of everything on the episodes of after.
        """
        chosen = self.draw_tasks()
        data = self.gather(chosen)
        self.report(data)
        self.learn((chosen, data))

    def gather(self, chosen: np.ndarray) -> TaskData:
        """Let the workers explore and adapt to the training tasks ``chosen`` ``[M]``."""
        weights = self.module_state()
        mean_steps, log_std_steps = weights["mean_steps"], weights["log_std_steps"]
        rows = chosen if len(mean_steps) > 1 else np.zeros_like(chosen)
        per_task = {
            "tasks": self.tasks[chosen],
            "before_keys": self.keys(PRE, len(chosen)),
            "after_keys": self.keys(POST, len(chosen)),
            "means": np.float64(weights["latent_means"][chosen]),
            "log_stds": np.float64(weights["latent_log_stds"][chosen]),
            "mean_steps": np.float64(mean_steps[rows]),
            "log_std_steps": np.float64(log_std_steps[rows]),
        }
        common = {
            "parameters": self.policy_parameters(weights),
            "policy_steps": _policy_steps(weights),
        }
        return TaskData.joined(self.ask("gather", per_task, common))

    def report(self, data: TaskData) -> None:
        """Report returns before and after adaptation, and count all steps."""
        returns, reach, steps = data.scores.T
        after = {
            "return": float(data.batch.returns.mean()),
            "reach": float(data.batch.reached.mean()),
        }
        self.report_adaptation(
            {"return": float(returns.mean()), "reach": float(reach.mean())}, after
        )
        self.env_steps += int(steps.sum())
        self.episodes += data.latent_advantages.size
        self.report_episodes(data.batch)

    def test_request(self) -> dict[str, Any]:
        """The policy, and the first step of a test."""
        weights = self.module_state()
        fixed = self.config.test_inner_step
        steps = {
            name: np.float64(weights[name]).mean(0) for name in ("mean_steps", "log_std_steps")
        }
        if fixed is not None:
            steps = {name: np.full_like(value, fixed) for name, value in steps.items()}
        return {
            "parameters": self.policy_parameters(weights),
            "policy_steps": _policy_steps(weights),
            **steps,
        }

    def evaluate(self, parallel_train_future: Any = None) -> ResultDict:
        """Measure exploration from the prior and from its mean, and adapt to validation tasks.

        Returns:
            As of ``MetaAlgorithm.evaluate``; under ``fixed_latent`` the same statistics of episodes
            with z at the prior's mean (Fig. 9 of Gupta et al. 2018); under ``latents`` what an
            inner step does to training tasks' latents (Fig. 8).
        """
        results = super().evaluate(parallel_train_future)
        plan = [(self.policy_state(), self.config.evaluation_duration)]
        results["fixed_latent"], tracker = measure(self, plan, skill=0)
        self._eval_arrays |= named_arrays("eval/fixed_latent", tracker)
        results["latents"] = self.measure_latents()
        return results

    def measure_latents(self) -> dict[str, float]:
        """Adapt the first training tasks once, as many as a test has, with training's reward.

        Returns:
            ``norm_before`` and ``norm_after``, mean length of the latents' means, and
            ``std_before`` and ``std_after``, their mean standard deviation. The array
            ``eval/latents`` ``[2, tasks, 2 d]`` has the means and log stds of both.
        """
        chosen = np.arange(min(self.config.test_tasks, len(self.tasks)))
        weights = self.module_state()
        before = {name: weights[f"latent_{name}"][chosen].astype(np.float64) for name in _LATENTS}
        per_task = {"tasks": self.tasks[chosen], "keys": self.keys(TEST, len(chosen))} | before
        answers = self.ask("adapt_once", per_task, self.test_request())
        after = {name: np.concatenate([a[name] for a in answers]) for name in _LATENTS}
        stages: dict[str, Arrays] = {"before": before, "after": after}
        self._eval_arrays["eval/latents"] = np.stack(
            [np.concatenate([of[name] for name in _LATENTS], 1) for of in stages.values()]
        )
        norms = {
            f"norm_{k}": float(np.linalg.norm(of["means"], axis=1).mean())
            for k, of in stages.items()
        }
        return norms | {
            f"std_{k}": float(np.exp(of["log_stds"]).mean()) for k, of in stages.items()
        }


class LatentSpace(MAESN):
    """Latents of tasks and a policy that knows them, learned without inner steps."""

    @classmethod
    def get_default_config(cls) -> LatentSpaceConfig:
        """Default settings."""
        return LatentSpaceConfig()


def _policy_steps(weights: StateDict) -> Arrays:
    """Step sizes of the policy's parameters by name; empty if it does not adapt."""
    prefix = "policy_steps."
    return {k.removeprefix(prefix): v for k, v in weights.items() if k.startswith(prefix)}
