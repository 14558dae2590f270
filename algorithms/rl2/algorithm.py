"""RL² as an RLlib algorithm."""

from typing import Any

from ray.rllib.utils.metrics import ENV_RUNNER_RESULTS
from ray.rllib.utils.typing import ResultDict

from expedition.algorithms.core.meta import PRE, MetaAlgorithm
from expedition.algorithms.core.on_policy import EPISODES
from expedition.algorithms.rl2.config import RL2Config
from expedition.algorithms.rl2.trials import Trials, joined_trials
from expedition.algorithms.rl2.worker import RL2Worker


class RL2(MetaAlgorithm):
    """Run trials of fresh tasks, update the recurrent policy, repeat."""

    config: RL2Config
    worker_class = RL2Worker

    @classmethod
    def get_default_config(cls) -> RL2Config:
        """Default settings."""
        return RL2Config()

    def training_step(self) -> None:
        """One update from trials of newly drawn tasks."""
        tasks = self.tasks[self.draw_tasks()]
        per_task = {"tasks": tasks, "keys": self.keys(PRE, len(tasks))}
        trials = joined_trials(self.ask("gather", per_task, self.test_request()))
        self.report(trials)
        self.learn(trials)

    def report(self, trials: Trials) -> None:
        """Count steps; report returns, and those of the trials' first and last episodes."""
        returns, successes = trials.returns, trials.successes
        self.env_steps += int(trials.mask.sum())
        self.episodes += returns.size
        values = {
            "episode_return_mean": float(returns.mean()),
            "episode_len_mean": float(trials.mask.sum() / returns.size),
            EPISODES: self.episodes,
        }
        for name, value in values.items():
            self.metrics.log_value((ENV_RUNNER_RESULTS, name), value, window=1)
        first, last = (
            {"return": float(returns[k].mean()), "reach": float(successes[k].mean())}
            for k in (0, -1)
        )
        self.report_adaptation(first, last)

    def test_request(self) -> dict[str, Any]:
        """What every worker needs: the policy's parameters."""
        return {"parameters": self.policy_parameters()}

    def evaluate(self, parallel_train_future: Any = None) -> ResultDict:
        """Run trials of validation tasks; ``return_k`` under ``adapt`` is of their episode k."""
        del parallel_train_future
        self._eval_arrays = {}
        return self.measure_adaptation()
