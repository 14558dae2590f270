"""What a trial measures: the metric keys and arrays that an experiment may name."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from expedition.platform.array_names import GOAL_EPISODES, PREFIXES
from expedition.platform.errors import UserError, unknown
from expedition.platform.plot_schema import Plot
from expedition.platform.spec import Experiment, Where

if TYPE_CHECKING:
    from expedition.envs.declared import Declared

# Names of `expedition.algorithms.core.metrics.curate`; the environment's coverage names and reward
# terms, and the learner's names, which depend on the method, come in addition.
FIXED_METRICS = (
    "env_steps",
    "updates",
    "iteration",
    "train/return_mean",
    "train/length_mean",
    "train/episodes",
    "eval/return_mean",
    "eval/length_mean",
    "eval/historical/return_mean",
    "eval/historical/length_mean",
    "eval/skills/pairwise_tv",
    "eval/latents/norm_before",
    "eval/latents/norm_after",
    "eval/latents/std_before",
    "eval/latents/std_after",
    "time/seconds",
    "time/env_steps_per_s",
)
# Before and after the tasks of training adapt; after k steps of adaptation to validation tasks, k
# as large as a method's settings say.
ADAPTATION_METRICS = re.compile(r"train/(pre|post)_(return|reach)|adapt/(return|reach)_\d+")
# Learner and expert side by side, over all states or near the places that settings name.
IMITATION_METRICS = re.compile(r"eval/imitation/(tv|(tv|modes|expert_modes)_at_-?[\d.]+)")
ADAPTATION_EXAMPLES = tuple(f"adapt/{name}_{k}" for name in ("return", "reach") for k in range(6))
ADAPTATION_ARRAYS = {
    "eval/adapt_return": 1,
    "eval/adapt_reach": 1,
    "eval/adapt_paths": 4,
    "eval/latents": 3,
}
# Q over actions at the states that settings name; learner and expert side by side.
PICTURE_ARRAYS = {
    "eval/state-*/q_values": 2,
    "eval/expert_actions": 2,
    "eval/learner_actions": 2,
    "eval/expert_paths": 4,
}
COVERAGE_PREFIXES = (
    "coverage/",
    "eval/coverage/",
    "eval/historical/coverage/",
    "eval/skills/coverage/",
    "eval/fixed_latent/coverage/",
)
TERM_PREFIXES = ("train/terms/", "eval/terms/", "eval/historical/terms/")
LEARNER_PREFIX = "learner/"
_METHODS_ARRAYS = ADAPTATION_ARRAYS | PICTURE_ARRAYS
_DIMENSIONS = {
    "heatmap": 2,
    "goals": 2,
    "array_curve": 1,
    "paths": 4,
    "latents": 3,
    "actions": 2,
    "q_contours": 2,
    "state_actions": 2,
    "over_time": 4,
}


def metric_keys(declared: Declared) -> list[str]:
    """List the metric keys a trial may report, the learner's own aside."""
    coverage = [prefix + name for prefix in COVERAGE_PREFIXES for name in declared.metrics]
    terms = [prefix + name for prefix in TERM_PREFIXES for name in declared.reward_terms]
    return [*FIXED_METRICS, *ADAPTATION_EXAMPLES, *coverage, *terms]


def check_metrics(experiment: Experiment, declared: Declared, where: Where) -> None:
    """Raise ``UserError`` on the first metric key that no trial reports."""
    valid = metric_keys(declared)
    for name, metric in experiment.metrics.items():
        key = metric.key
        patterns = (ADAPTATION_METRICS, IMITATION_METRICS)
        if (
            key in valid
            or key.startswith(LEARNER_PREFIX)
            or any(p.fullmatch(key) for p in patterns)
        ):
            continue
        raise unknown("metric", key, valid, where(("metrics", name, "key")))


def check_arrays(experiment: Experiment, declared: Declared, where: Where) -> None:
    """Raise ``UserError`` on the first array that no trial has or its plot cannot show."""
    valid = [f"{prefix}/{name}" for prefix in PREFIXES for name in declared.arrays]
    valid += _METHODS_ARRAYS
    for position, plot in enumerate(experiment.plots):
        place = where(("plots", str(position), "array"))
        for array in plot.arrays:
            if re.sub(r"/(skill|state)-\d+/", r"/\1-*/", array) not in valid:
                raise unknown("array", array, valid, place)
            _check_shape(plot, array, declared, place)
        if plot.x is not None and plot.x not in declared.arrays:
            raise unknown("array", plot.x, declared.arrays, where(("plots", str(position), "x")))


def _check_shape(plot: Plot, array: str, declared: Declared, place: str) -> None:
    general = re.sub(r"/state-\d+/", "/state-*/", array)
    dimensions = _METHODS_ARRAYS.get(general) or declared.arrays[array.rpartition("/")[2]]
    if dimensions != _DIMENSIONS[plot.kind]:
        raise UserError(
            f"{place}: a plot of kind '{plot.kind}' shows arrays of {_DIMENSIONS[plot.kind]}"
            f" dimensions, '{array}' has {dimensions}"
        )
    if plot.kind == "goals" and GOAL_EPISODES not in declared.arrays:
        raise UserError(f"{place}: '{array}' has no '{GOAL_EPISODES}' beside it")
