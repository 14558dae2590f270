"""Trials that the schedulers of a sweep judge, without Ray."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any, cast

from ray.tune.schedulers import TrialScheduler

from expedition.platform.stopping import PointStopping


class JudgedTrial:
    """As much of a trial as a scheduler looks at: a seed of a point."""

    def __init__(self, point: str, seed: int = 0) -> None:
        self.trial_id = f"{point}-{seed}"
        self.config = {"trial": f"task/variant/{point}/seed_{seed}"}


class _NothingWaits:
    def get_live_trials(self) -> list[Any]:
        return []


def decision(
    scheduler: TrialScheduler, trial: JudgedTrial, env_steps: int, objective: float
) -> str:
    """Say what a scheduler does with a trial at a result."""
    result = {"env_steps": env_steps, "objective": objective}
    return scheduler.on_trial_result(cast(Any, _NothingWaits()), cast(Any, trial), result)


def goes_on(scheduler: PointStopping, trial: JudgedTrial, env_steps: int, objective: float) -> bool:
    """Whether a trial may go on after a result."""
    return decision(scheduler, trial, env_steps, objective) == TrialScheduler.CONTINUE


def stopped_alike(
    ours: PointStopping,
    theirs: TrialScheduler,
    trials: Sequence[JudgedTrial],
    steps: Iterable[int],
    value_of: Callable[[JudgedTrial], float],
) -> int:
    """Give both schedulers the same results, assert equal decisions, and count the stopped."""
    alive = list(trials)
    for env_steps in steps:
        for trial in list(alive):
            value = value_of(trial)
            made = [decision(one, trial, env_steps, value) for one in (ours, theirs)]
            assert made[0] == made[1]
            if made[0] == TrialScheduler.STOP:
                alive.remove(trial)
    return len(trials) - len(alive)
