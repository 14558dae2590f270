"""MAML as an RLlib algorithm."""

from typing import Any

from expedition.algorithms.core.episodes import EpisodeBatch, joined
from expedition.algorithms.core.meta import PRE, MetaAlgorithm
from expedition.algorithms.maml.config import MAMLConfig
from expedition.algorithms.maml.worker import MAMLWorker, MetaEpisodes


class MAML(MetaAlgorithm):
    """Adapt to a batch of tasks, step the meta-parameters, repeat."""

    config: MAMLConfig
    worker_class = MAMLWorker

    @classmethod
    def get_default_config(cls) -> MAMLConfig:
        """Default settings."""
        return MAMLConfig()

    def training_step(self) -> None:
        """One update from fresh tasks. Source: Finn et al. 2017, algorithm 3."""
        batch = self.gather()
        for episodes in (*batch.before, batch.after):
            self.report_episodes(episodes)
        self.report_adaptation(_scores(batch.before[0]), _scores(batch.after))
        self.learn(batch)

    def gather(self) -> MetaEpisodes:
        """Episodes of this update's tasks before and after they adapt."""
        tasks = self.tasks[self.draw_tasks()]
        per_task = {"tasks": tasks, "keys": self.keys(PRE, len(tasks))}
        shares = self.ask("gather", per_task, self.test_request())
        before = [joined(each, 0) for each in zip(*(s.before for s in shares), strict=True)]
        return MetaEpisodes(before, joined([share.after for share in shares], 0))

    def test_request(self) -> dict[str, Any]:
        """What every worker needs: the meta-parameters."""
        return {"parameters": self.policy_parameters()}


def _scores(episodes: EpisodeBatch) -> dict[str, float]:
    return {
        "return": float(episodes.returns.mean()),
        "reach": float(episodes.reached.mean()),
    }
