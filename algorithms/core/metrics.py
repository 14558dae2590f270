"""Stable, flat metric names for the nested result of any RLlib algorithm."""

import math
from collections.abc import Iterator, Mapping
from numbers import Real
from typing import Any

# RLlib's key -> ours. The first table is about training, the second about an evaluation.
_TRAIN = {
    "episode_return_mean": "train/return_mean",
    "episode_len_mean": "train/length_mean",
    "num_episodes_lifetime": "train/episodes",
    "pre_return": "train/pre_return",
    "post_return": "train/post_return",
    "pre_reach": "train/pre_reach",
    "post_reach": "train/post_reach",
}
_EVALUATION = {"episode_return_mean": "eval/return_mean", "episode_len_mean": "eval/length_mean"}
_RLLIB_EVALUATION_KEYS = frozenset(
    {
        "env_runners",
        "num_healthy_workers",
        "actor_manager_num_outstanding_async_reqs",
        "num_remote_worker_restarts",
        "num_env_runners_dropped_lifetime",
    }
)
_RLLIB_LEARNER_KEYS = frozenset({"learner_connector", "learner_connector_sum_episodes_length_in"})


def curate(result: Mapping[str, Any]) -> dict[str, float]:
    """Flatten one ``algo.train()`` result to the metrics worth keeping.

    Args:
        result: What ``train`` returned, of our algorithms or of RLlib's own.

    Returns:
        ``env_steps``, ``updates``, ``iteration``; ``train/return_mean``, ``train/length_mean``,
        ``train/episodes``, ``train/terms/<name>`` (sum of a reward term over an episode);
        ``coverage/<name>``; ``learner/<name>``; where an evaluation ran, ``eval/return_mean``,
        ``eval/length_mean``, ``eval/terms/<name>``, ``eval/<...>``; of methods that adapt to tasks
        ``train/pre_return`` (and ``post``, and ``reach``), ``adapt/return_<k>`` and
        ``adapt/reach_<k>``; ``time/seconds``, ``time/env_steps_per_s``. Metrics that are missing or
        not a number are left out.
    """
    rows = dict(_counters(result))
    runners = result.get("env_runners", {})
    rows |= _renamed(runners, _TRAIN)
    rows |= _flat(runners.get("terms", {}), "train/terms")
    rows |= _flat(result.get("coverage", {}), "coverage")
    learner = result.get("learners", {}).get("default_policy", {})
    rows |= _flat({k: v for k, v in learner.items() if k not in _RLLIB_LEARNER_KEYS}, "learner")
    evaluation = result.get("evaluation", {})
    rows |= _renamed(evaluation.get("env_runners", {}), _EVALUATION)
    own = {k: v for k, v in evaluation.items() if k not in _RLLIB_EVALUATION_KEYS}
    rows |= _flat(result.get("adapt", own.pop("adapt", {})), "adapt")
    rows |= _flat(own, "eval")
    return {name: value for name, value in rows.items() if math.isfinite(value)}


def _counters(result: Mapping[str, Any]) -> Iterator[tuple[str, float]]:
    env_steps = result.get("env_steps", result.get("num_env_steps_sampled_lifetime", 0))
    yield "env_steps", float(env_steps)
    yield "iteration", float(result.get("training_iteration", 0))
    if "updates" in result:
        yield "updates", float(result["updates"])
    if "time_total_s" in result:
        yield "time/seconds", float(result["time_total_s"])
    seconds = result.get("time_this_iter_s", 0)
    this_iteration = result.get("env_steps_this_iter")
    if seconds and this_iteration:
        yield "time/env_steps_per_s", this_iteration / seconds


def _renamed(values: Mapping[str, Any], names: Mapping[str, str]) -> dict[str, float]:
    return {ours: float(values[theirs]) for theirs, ours in names.items() if theirs in values}


def _flat(values: Mapping[str, Any], prefix: str) -> dict[str, float]:
    flat: dict[str, float] = {}
    for name, value in values.items():
        if isinstance(value, Mapping):
            flat |= _flat(value, f"{prefix}/{name}")
        elif isinstance(value, Real) and not isinstance(value, bool):
            flat[f"{prefix}/{name}"] = float(value)
    return flat
