"""Measures policies on an algorithm's evaluation runners, and keeps the arrays for figures."""

import copy
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

import numpy as np
import torch
from numpy.typing import NDArray
from ray.rllib.utils.typing import ResultDict, StateDict
from torch import Tensor
from torch.nn import functional

from expedition.algorithms.core.counted_episodes import EpisodeScores
from expedition.algorithms.core.env_runner import TransitionEnvRunner
from expedition.algorithms.core.errors import EnvRunnersLostError
from expedition.algorithms.core.skills import adaptive_skills, pairwise_total_variation
from expedition.envs.coverage import CoverageTracker, SequenceTracker

if TYPE_CHECKING:
    from expedition.algorithms.core.algorithm import OffPolicy
    from expedition.algorithms.core.runner_algorithm import RunnerAlgorithm

Arrays = dict[str, np.ndarray]
Plan = list[tuple[StateDict, int]]
"""Policies and the number of episodes to run of each."""

_Part = tuple[NDArray[np.int64], EpisodeScores, CoverageTracker | None]
# Numbers of some of a plan's episodes, their scores, and an unused tracker.


def evaluate(algo: "OffPolicy") -> tuple[ResultDict, Arrays]:
    """Measure the newest policy and, where the config asks, its past and its skills.

    Every evaluation starts from a seed of its own, a function of the config's seed and the
    iteration: it neither depends on earlier ones nor disturbs training.

    Returns:
        The newest policy's statistics, with those of the historical average under ``historical``
        and of the single skills under ``skills``; and the coverage arrays ``eval/<name>``,
        ``eval/historical/<name>`` and ``eval/skill-<k>/<name>``.
    """
    episodes = algo.config.evaluation_duration
    newest = algo.policy_state()
    results, tracker = measure(algo, [(newest, episodes)])
    arrays = named_arrays("eval", tracker)
    if algo.history.snapshots:
        rng = np.random.default_rng((algo.config.seed or 0, algo.iteration))
        plan = algo.history.plan(newest, episodes, rng)
        results["historical"], tracker = measure(algo, plan)
        arrays |= named_arrays("eval/historical", tracker)
    if getattr(algo.config, "evaluate_skills", False) and algo.config.num_skills > 1:
        results["skills"], of_skills = _measure_skills(algo, newest, episodes)
        arrays |= of_skills
    return results, arrays


def measure(
    algo: "RunnerAlgorithm", plan: Plan, skill: int | None = None
) -> tuple[ResultDict, CoverageTracker | None]:
    """Run planned numbers of episodes of given policies; return statistics and coverage.

    The coverage is that of one stream of episodes in which the policies take turns, so that each
    has its planned share of every window of recent states or episodes. Where p(z) adapts, the
    stream is a sequence as a test has it: every episode draws its policy and its skill.

    Args:
        algo: Whose evaluation runners are used.
        plan: Policies and episodes.
        skill: The skill that every episode uses; as the module draws them when not given.
    """
    counts = [episodes for _, episodes in plan]
    order, contexts = in_turns(counts), None
    if is_sequence := _adapts(algo) and skill is None:
        order, contexts = _sequence(algo, sum(counts))
    parts: list[_Part] = []
    for index, (weights, episodes) in enumerate(plan):
        begin = sum(counts[:index])
        part = np.arange(begin, begin + episodes)
        parts += _run_episodes(algo, weights, part, index, skill, contexts)
    if not parts:
        raise EnvRunnersLostError(
            "all evaluation runners are lost; resume from the last checkpoint"
        )
    results = _statistics([scores for _, scores, _ in parts])
    tracker = copy.deepcopy(parts[0][2])  # what comes from another process is read-only
    if tracker is not None:
        if is_sequence and isinstance(tracker, SequenceTracker):
            tracker.start_sequence()
        tracker.update(*_stream(parts, order))
        results["coverage"] = tracker.metrics()
    return results, tracker


def in_turns(counts: Sequence[int]) -> NDArray[np.int64]:
    """An order of the episodes of several policies in which each is spread evenly over the whole.

    Args:
        counts: Episodes of each policy, which are numbered policy after policy.

    Returns:
        The numbers of the episodes, in that order. Any stretch has of each policy the share that
        it has of the whole, to within one episode or two.
    """
    places = np.concatenate([(np.arange(count) + 0.5) / count for count in counts])
    return np.argsort(places, kind="stable")


def merged(trackers: Sequence[CoverageTracker | None]) -> CoverageTracker | None:
    """What several runners saw, as one; nothing if none has a tracker."""
    present = [tracker for tracker in trackers if tracker is not None]
    if not present:
        return None
    if len(present) == 1:
        return present[0]
    whole = copy.deepcopy(present[0])  # what comes from another process is read-only
    for other in present[1:]:
        whole.merge(other)
    return whole


def named_arrays(prefix: str, tracker: CoverageTracker | None) -> Arrays:
    """Arrays of a tracker as ``<prefix>/<name>``; none without a tracker."""
    if tracker is None:
        return {}
    return {f"{prefix}/{name}": array for name, array in tracker.arrays().items()}


def _measure_skills(
    algo: "OffPolicy", newest: StateDict, episodes: int
) -> tuple[ResultDict, Arrays]:
    """Measure each skill by itself: mean coverage over skills, and how far apart they are."""
    arrays: Arrays = {}
    visits, metrics = [], []
    for skill in range(algo.config.num_skills):
        _, tracker = measure(algo, [(newest, episodes)], skill)
        if tracker is None:
            return {}, {}
        of_skill = tracker.arrays()
        arrays |= {f"eval/skill-{skill}/{name}": array for name, array in of_skill.items()}
        metrics.append(tracker.metrics())
        visits += [of_skill["visits"]] if "visits" in of_skill else []
    means = {name: float(np.mean([of[name] for of in metrics])) for name in metrics[0]}
    results: ResultDict = {"coverage": means}
    if visits:
        results["pairwise_tv"] = pairwise_total_variation(visits)
    return results, arrays


def _adapts(algo: "RunnerAlgorithm") -> bool:
    is_adaptive = getattr(algo.config, "test_time_prior", "uniform") == "adaptive"
    return is_adaptive and algo.config.num_skills > 1


def _sequence(algo: "RunnerAlgorithm", episodes: int) -> tuple[NDArray[np.int64], Tensor]:
    """A random order of the episodes, and their one-hot skills ``[episodes, n]``.

    Which policy plays does not depend on the skill, so both are drawn before the first episode.
    """
    config = algo.config
    rng = np.random.default_rng((config.seed or 0, algo.iteration, 1))
    order = rng.permutation(episodes)
    skills = np.empty(episodes, dtype=np.int64)
    skills[order] = adaptive_skills(config.num_skills, episodes, config.latent_prior_coeff, rng)
    return order, functional.one_hot(torch.from_numpy(skills), config.num_skills).float()


def _statistics(scores: list[EpisodeScores]) -> ResultDict:
    columns = {name: np.concatenate([s[name] for s in scores]) for name in ("returns", "lengths")}
    results: ResultDict = {
        "return_mean": float(columns["returns"].mean()),
        "length_mean": float(columns["lengths"].mean()),
        "episodes": len(columns["returns"]),
    }
    if terms := scores[0]["terms"]:
        results["terms"] = {
            name: float(np.concatenate([s["terms"][name] for s in scores]).mean()) for name in terms
        }
    return results


def _stream(parts: list[_Part], order: NDArray[np.int64]) -> tuple[np.ndarray, np.ndarray]:
    """States ``[T, 1, obs]`` and ends ``[T, 1]`` of all episodes, one after the other."""
    episodes: dict[int, np.ndarray] = {}
    for numbers, scores, _ in parts:
        states = np.split(scores["states"], np.cumsum(scores["lengths"])[:-1])
        episodes |= zip(numbers.tolist(), states, strict=True)
    ordered = [episodes[i] for i in order.tolist() if i in episodes]  # a runner may have died
    ends = np.zeros(sum(map(len, ordered)), dtype=bool)
    ends[np.cumsum([len(states) for states in ordered]) - 1] = True
    return np.concatenate(ordered)[:, None], ends[:, None]


def _run_episodes(
    algo: "RunnerAlgorithm",
    weights: StateDict,
    episodes: NDArray[np.int64],
    salt: int,
    skill: int | None,
    contexts: Tensor | None,
) -> list[_Part]:
    """Share episodes, given by their numbers in the plan, among the evaluation runners."""
    group = algo.eval_env_runner_group
    if group is None:
        raise ValueError(
            "no evaluation runners: call config.evaluation(evaluation_interval=..., ...)"
        )
    request = {
        "weights": weights,
        "explore": bool(algo.evaluation_config.explore),
        "seed": (algo.config.seed or 0) + 1_000_003 * (algo.iteration + 1) + 7919 * salt,
        "skill": skill,
    }

    def task(numbers: NDArray[np.int64]) -> Callable[[TransitionEnvRunner], _Part]:
        own = None if contexts is None else contexts[numbers]
        return lambda runner: (numbers, *_evaluate_runner(runner, len(numbers), own, **request))

    if not group.num_remote_workers():
        return group.foreach_env_runner(task(episodes))
    remote = group.healthy_worker_ids()[: len(episodes)]  # not more runners than episodes
    shares = np.array_split(episodes, len(remote)) if remote else []
    parts: list[_Part] = group.foreach_env_runner(
        [task(numbers) for numbers in shares], local_env_runner=False, remote_worker_ids=remote
    )
    return sorted(parts, key=lambda part: part[0][0])


def _evaluate_runner(
    runner: TransitionEnvRunner,
    num_episodes: int,
    contexts: Tensor | None,
    weights: StateDict,
    explore: bool,
    seed: int,
    skill: int | None,
) -> tuple[EpisodeScores, CoverageTracker | None]:
    """Scores of some episodes, and a tracker that has seen nothing yet."""
    runner.module.set_state(weights)
    runner.module.start_evaluation(skill)
    runner.restart(seed + (runner.worker_index or 0))
    return runner.sample_episodes(num_episodes, explore, contexts), runner.tracker
