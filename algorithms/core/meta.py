"""The meta-learning algorithm: adapt to a batch of tasks, learn to adapt, and test on others."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from ray.rllib.algorithms.algorithm_config import AlgorithmConfig
from ray.rllib.utils.metrics import ENV_RUNNER_RESULTS
from ray.rllib.utils.typing import ResultDict
from ray.tune import PlacementGroupFactory

from expedition.algorithms.core.actor_pool import ActorPool
from expedition.algorithms.core.meta_config import MetaConfig
from expedition.algorithms.core.on_policy import OnPolicy
from expedition.algorithms.core.task_sampler import TaskSampler
from expedition.algorithms.core.task_worker import TaskWorker, WorkerSettings
from expedition.envs.coverage import CoverageTracker
from expedition.envs.tasks import tasks_of

PRE, POST, TEST, CHOICE = range(4)  # streams of random numbers of an update


class MetaAlgorithm(OnPolicy):
    """Base of the methods that adapt to tasks; a subclass names its worker and learner.

    Where tasks are sampled does not show in the numbers: a task's random numbers come from the
    seed, the update and its place in the batch alone.
    """

    config: MetaConfig
    worker_class: type[TaskWorker]

    @classmethod
    def default_resource_request(cls, config: Any) -> PlacementGroupFactory:
        """RLlib's request, and a CPU for each actor that samples tasks."""
        if not isinstance(config, AlgorithmConfig):
            config = cls.get_default_config().update_from_dict(config)
        bundles = [dict(bundle) for bundle in super().default_resource_request(config).bundles]
        return PlacementGroupFactory([*bundles, *[{"CPU": 1}] * config.task_actors])

    def setup(self, config: MetaConfig) -> None:
        """Build everything, and the pool of workers.

        Raises:
            ValueError: More tasks are asked for than an environment has.
        """
        super().setup(config)
        config = self.config
        test_env_config = dict(self.evaluation_config.env_config)
        tests = TaskSampler(config.env, test_env_config, config.gym_env_vectorize_mode)
        self.tasks = self._first("train_tasks", tasks_of(self.sampler.sampler(1, 1).env, "train"))
        validation_tasks = tasks_of(tests.sampler(1, 1).env, "validation")
        self.validation_tasks = self._first("test_tasks", validation_tasks)
        tests.close()
        settings = WorkerSettings(
            env=config.env,
            env_config=dict(config.env_config),
            test_env_config=test_env_config,
            vectorize_mode=config.gym_env_vectorize_mode,
            method={name: getattr(config, name) for name in config.hyperparameters()},
        )
        self.shares = max(1, min(config.task_actors, config.meta_batch_size, config.test_tasks))
        worker_class = self.worker_class
        self.pool = ActorPool(
            lambda _index: worker_class(settings),
            self.shares,
            actors=min(config.task_actors, self.shares),
        )

    def _first(self, setting: str, tasks: np.ndarray) -> np.ndarray:
        """As many of the tasks as a setting says; its default, as many as there are."""
        count = getattr(self.config, setting)
        if count > len(tasks) and count != self.config.hyperparameters()[setting].default:
            raise ValueError(
                f"{setting}={count}: the environment has {len(tasks)} of them; set it to "
                f"{len(tasks)} or less"
            )
        return tasks[:count]

    def cleanup(self) -> None:
        """Let the actors go."""
        self.pool.stop()
        super().cleanup()

    def draw_tasks(self) -> np.ndarray:
        """Indices of this update's tasks ``[M]``, uniformly with replacement."""
        seed = self.config.seed or 0
        rng = np.random.default_rng([seed, self.updates, CHOICE])
        return rng.integers(len(self.tasks), size=(self.config.meta_batch_size,))

    def keys(self, stage: int, tasks: int) -> np.ndarray:
        """Keys of the tasks' random numbers ``[M, 4]`` in one stage of this update."""
        seed = self.config.seed or 0
        return np.array([[seed, self.updates, stage, place] for place in range(tasks)])

    def ask(
        self, name: str, per_task: Mapping[str, np.ndarray], common: Mapping[str, Any]
    ) -> list[Any]:
        """Let the workers do something to their shares of a batch of tasks.

        Args:
            name: The worker's method.
            per_task: Arguments ``[M, ...]``, split over the workers; with fewer tasks than
                workers some have nothing to do.
            common: Arguments for all.

        Returns:
            Their answers, in the order of the tasks.
        """
        shares = min(self.shares, *map(len, per_task.values()))
        split = {key: np.array_split(array, shares) for key, array in per_task.items()}
        requests = [
            (name, {**common, **{key: parts[share] for key, parts in split.items()}})
            for share in range(shares)
        ]
        return self.pool.run(requests)[:shares]

    def report_adaptation(self, before: dict[str, float], after: dict[str, float]) -> None:
        """Report training's mean return and reach before and after the tasks adapted."""
        named = {f"pre_{k}": v for k, v in before.items()} | {
            f"post_{k}": v for k, v in after.items()
        }
        for name, value in named.items():
            self.metrics.log_value((ENV_RUNNER_RESULTS, name), value, window=1)

    def coverage_tracker(self) -> CoverageTracker | None:
        """None: every task's episodes are its own; evaluations measure exploration."""
        return None

    def test_request(self) -> dict[str, Any]:
        """Arguments of the workers' ``adapt_to`` beside ``tasks`` and ``keys``."""
        raise NotImplementedError

    def evaluate(self, parallel_train_future: Any = None) -> ResultDict:
        """Measure the policy as it explores, then adapt to validation tasks.

        Returns:
            As of ``RunnerAlgorithm.evaluate``; under ``adapt``, mean ``return_k`` and ``reach_k``
            over tasks and episodes before the first adaptation step (k = 0) and after k of them.
        """
        results = super().evaluate(parallel_train_future)
        return results | self.measure_adaptation()

    def measure_adaptation(self) -> ResultDict:
        """Adapt to validation tasks: the part of ``evaluate`` under ``adapt``, and its arrays."""
        tasks = self.validation_tasks
        per_task = {"tasks": tasks, "keys": self.keys(TEST, len(tasks))}
        answers = self.ask("adapt_to", per_task, self.test_request())
        curves = {name: np.concatenate([a[name] for a in answers]) for name in answers[0]}
        means = {name: curves[name].mean(0) for name in ("return", "reach")}
        scores = {
            f"{name}_{k}": float(value)
            for name, values in means.items()
            for k, value in enumerate(values)
        }
        self._eval_arrays |= {f"eval/adapt_{name}": curve for name, curve in means.items()}
        self._eval_arrays |= {
            f"eval/adapt_{name}": array for name, array in curves.items() if name not in means
        }
        self._eval_arrays["eval/tasks"] = tasks
        return {"adapt": scores}
