"""Configuration common to the methods that adapt to tasks."""

from collections.abc import Mapping
from typing import ClassVar

from expedition.algorithms.core.hyperparameters import Hyperparameter
from expedition.algorithms.core.on_policy_config import OnPolicyConfig


class MetaConfig(OnPolicyConfig):
    """Batches of tasks in training, adaptation to others in an evaluation.

    An evaluation adapts to the first ``test_tasks`` validation tasks of the evaluation's
    environment, as ``evaluation(evaluation_config={"env_config": {"reward": "sparse"}})`` sets it.
    More tasks than a split has are refused; the defaults mean all where there are fewer.
    """

    HYPERPARAMETERS: ClassVar[Mapping[str, Hyperparameter]] = {
        "train_tasks": Hyperparameter(
            100, "tasks of the training split that are used", "Gupta et al., sec. 5.1", low=1
        ),
        "meta_batch_size": Hyperparameter(
            20, "tasks a meta-update (M), drawn with replacement", "released code", low=1
        ),
        "episodes_per_task": Hyperparameter(
            20, "episodes of a task before, and again after, it adapts (K)", low=2
        ),
        "test_tasks": Hyperparameter(
            30, "validation tasks of an evaluation", "released code: 30", low=1
        ),
        "test_steps": Hyperparameter(5, "adaptation steps to each (N)", low=0),
        "test_episodes": Hyperparameter(100, "episodes before each step and after the last", low=2),
        "task_actors": Hyperparameter(
            0,
            "Ray actors, one CPU each, that share a batch's tasks; 0: the trial's process. The "
            "numbers are the same",
            low=0,
        ),
    }

    def __init__(self, algo_class: type | None = None) -> None:
        super().__init__(algo_class)
        self.evaluation_duration = 100
