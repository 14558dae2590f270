"""Which of a trial's coverage arrays a plot means, and what it calls them."""

from __future__ import annotations

import re
from collections.abc import Sequence
from fnmatch import fnmatchcase

from expedition.platform.results import Run, array_names

PREFIXES = ("train", "eval", "eval/historical", "eval/skill-*", "eval/fixed_latent")
"""Who visited: training, the newest policy, the historical average, one skill, one latent."""

GOAL_EPISODES = "goal_episodes"  # beside an array of goals: how long each takes to find

_LABELS = {
    "train": "training",
    "eval": "last policy",
    "eval/historical": "historical average",
    "eval/fixed_latent": "latent fixed at its mean",
}


def expand(run: Run, arrays: Sequence[str]) -> list[str]:
    """Replace patterns such as ``eval/skill-*/visits`` by the arrays that trials have.

    Args:
        run: The run.
        arrays: Names and patterns.

    Returns:
        Names in the given order, those of a pattern in the order of their numbers.
    """
    present: set[str] = set()
    if any("*" in name for name in arrays):
        present = {name for f in run.trials["folder"] if f for name in array_names(run, f)}
    names: list[str] = []
    for wanted in arrays:
        matching = [name for name in present if fnmatchcase(name, wanted)]
        names += sorted(matching, key=_numbers) if "*" in wanted else [wanted]
    return names


def label(name: str) -> str:
    """Say in words whose visits an array holds."""
    prefix = name.rpartition("/")[0]
    return _LABELS.get(prefix, prefix.rpartition("/")[2].replace("-", " "))


def _numbers(name: str) -> list[int]:
    return [int(digits) for digits in re.findall(r"\d+", name)]
