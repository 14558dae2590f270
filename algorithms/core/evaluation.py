"""Measures policies on an algorithm's evaluation runners, and keeps the arrays for figures."""

import copy
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from ray.rllib.utils.typing import ResultDict, StateDict

from expedition.algorithms.core.env_runner import EpisodeScores, TransitionEnvRunner
from expedition.algorithms.core.skills import pairwise_total_variation
from expedition.envs.coverage import CoverageTracker

if TYPE_CHECKING:
    from expedition.algorithms.core.algorithm import OffPolicy
    from expedition.algorithms.core.runner_algorithm import RunnerAlgorithm

Arrays = dict[str, np.ndarray]
Plan = list[tuple[StateDict, int]]
"""Policies and the number of episodes to run of each."""


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

    Args:
        algo: Whose evaluation runners are used.
        plan: Policies and episodes; what adapts at test time adapts over all of it.
        skill: The skill that every episode uses; as the module draws them when not given.
    """
    parts = [
        part
        for index, (weights, episodes) in enumerate(plan)
        for part in _run_episodes(algo, weights, episodes, index, skill)
    ]
    scores = [scores for scores, _ in parts]
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
    tracker = merged([tracker for _, tracker in parts])
    if tracker is not None:
        results["coverage"] = tracker.metrics()
    return results, tracker


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


def _run_episodes(
    algo: "RunnerAlgorithm", weights: StateDict, num_episodes: int, salt: int, skill: int | None
) -> list[tuple[EpisodeScores, CoverageTracker | None]]:
    group = algo.eval_env_runner_group
    if group is None:
        raise ValueError(
            "no evaluation runners: call config.evaluation(evaluation_interval=..., ...)"
        )
    runners = max(1, group.num_healthy_remote_workers())
    request = {
        "weights": weights,
        "num_episodes": -(-num_episodes // runners),
        "explore": bool(algo.evaluation_config.explore),
        "seed": (algo.config.seed or 0) + 1_000_003 * (algo.iteration + 1) + 7919 * salt,
        "is_first": salt == 0,
        "skill": skill,
    }
    return group.foreach_env_runner(
        lambda runner: _evaluate_runner(runner, **request),
        local_env_runner=not group.num_remote_workers(),
    )


def _evaluate_runner(
    runner: TransitionEnvRunner,
    weights: StateDict,
    num_episodes: int,
    explore: bool,
    seed: int,
    is_first: bool,
    skill: int | None,
) -> tuple[EpisodeScores, CoverageTracker | None]:
    runner.module.set_state(weights)
    if is_first:
        runner.module.start_evaluation(skill)
    runner.restart(seed + (runner.worker_index or 0))
    return runner.sample_episodes(num_episodes, explore), runner.tracker
