"""Searchers and schedulers that compare like with like: one study a variant, one rung a task.

Tune takes one searcher and one scheduler a run, and would let a point of a strong method stop
every point of a weak one. The two classes here deal trials out to one searcher or scheduler a
group.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
from ray.tune.schedulers import FIFOScheduler, PopulationBasedTraining
from ray.tune.search import Searcher
from ray.tune.search.sample import Float, Integer

from expedition.platform.plan import point_name

if TYPE_CHECKING:
    from ray.tune.execution.tune_controller import TuneController
    from ray.tune.experiment import Trial as TuneTrial

    from expedition.platform.stopping import PointStopping

REPEAT_INDEX = "__trial_index__"  # which of its point's trials this is, where a point has several


def cell_of(config: Mapping[str, Any]) -> Mapping[str, Any]:
    """Find the trial, without its search values, that a searcher's configuration is about.

    Args:
        config: ``cells`` (variant -> trials), ``group`` (the variant) and, where a point is run
            several times, the number of the repetition.

    Returns:
        The content of a ``trial.json``.
    """
    cells = config["cells"][config["group"]]
    return dict(cells[config.get(REPEAT_INDEX, 0)])


def comparable(config: Mapping[str, Any]) -> str:
    """Name the trials that a trial may be compared with: ``task/variant``."""
    if "trial" in config:
        return "/".join(config["trial"].split("/")[:2])
    cell = cell_of(config)
    return f"{cell['task']}/{cell['variant']}"


def point_of(config: Mapping[str, Any]) -> tuple[str, str]:
    """Name the sweep point of a trial and which of its trials this is: ``p3f2a9c1b, seed_0``."""
    if "trial" in config:
        _, _, point, seed = config["trial"].split("/")
        return point, seed
    return point_name(config["search"]), f"seed_{cell_of(config)['seed']}"


class GroupedSearcher(Searcher):
    """One searcher a variant, asked in turn.

    Args:
        searchers: Variant -> its searcher.
    """

    def __init__(self, searchers: Mapping[str, Searcher]) -> None:
        first = next(iter(searchers.values()))
        super().__init__(metric=first.metric, mode=first.mode)
        self._searchers = dict(searchers)
        self._suggested = dict.fromkeys(searchers, 0)
        self._group: dict[str, str] = {}

    def suggest(self, trial_id: str) -> dict[str, Any] | str | None:
        """Suggest a configuration for the variant that has had the fewest, and has more."""
        while self._suggested:
            group = min(self._suggested, key=self._suggested.__getitem__)
            config = self._searchers[group].suggest(trial_id)
            if config == Searcher.FINISHED:
                del self._suggested[group]
                continue
            if not isinstance(config, dict):
                return config
            self._suggested[group] += 1
            self._group[trial_id] = group
            return {**config, "group": group}
        return Searcher.FINISHED

    def on_trial_result(self, trial_id: str, result: dict[str, Any]) -> None:
        """Pass a result on."""
        self._searchers[self._group[trial_id]].on_trial_result(trial_id, result)

    def on_trial_complete(
        self, trial_id: str, result: dict[str, Any] | None = None, error: bool = False
    ) -> None:
        """Pass the end of a trial on."""
        self._searchers[self._group[trial_id]].on_trial_complete(
            trial_id, result=result, error=error
        )

    def save(self, checkpoint_path: str) -> None:
        """Save nothing: a resumed sweep tells its searchers what the run folder holds."""

    def restore(self, checkpoint_path: str) -> None:
        """Restore nothing (see `save`)."""


class GroupedScheduler(FIFOScheduler):
    """One scheduler a task and variant; trials start in the order they were made.

    Args:
        make: Builds the scheduler of a variant on a task.
    """

    def __init__(self, make: Callable[[str], PointStopping]) -> None:
        super().__init__()
        self._make = make
        self._groups: dict[str, PointStopping] = {}

    def group(self, config: Mapping[str, Any]) -> PointStopping:
        """Give the scheduler of the trials that a configuration may be compared with."""
        name = comparable(config)
        if name not in self._groups:
            self._groups[name] = self._make(name.split("/")[1])
        return self._groups[name]

    def _of(self, trial: TuneTrial) -> PointStopping:
        return self.group(trial.config)

    def on_trial_add(self, tune_controller: TuneController, trial: TuneTrial) -> None:
        """Pass a new trial on."""
        self._of(trial).on_trial_add(tune_controller, trial)

    def on_trial_error(self, tune_controller: TuneController, trial: TuneTrial) -> None:
        """Pass a failure on."""
        self._of(trial).on_trial_error(tune_controller, trial)

    def on_trial_result(
        self, tune_controller: TuneController, trial: TuneTrial, result: dict[str, Any]
    ) -> str:
        """Let the group's scheduler decide."""
        return str(self._of(trial).on_trial_result(tune_controller, trial, result))

    def on_trial_complete(
        self, tune_controller: TuneController, trial: TuneTrial, result: dict[str, Any]
    ) -> None:
        """Pass the end of a trial on."""
        self._of(trial).on_trial_complete(tune_controller, trial, result)

    def on_trial_remove(self, tune_controller: TuneController, trial: TuneTrial) -> None:
        """Pass a removal on."""
        self._of(trial).on_trial_remove(tune_controller, trial)


class Population(PopulationBasedTraining):
    """PBT whose members copy each other's values but stay who they are, and take turns.

    Tune's copies the whole configuration, with the name of the trial in it: two members would
    write into one folder. Values that grew or shrank beyond the space are brought back to its edge.
    Of members that are equally far, Tune's runs the one that was made first. Where there are fewer
    processes than members that can be the same for ever: one that copies another is as far as that
    one was, and it runs and copies again while no other gets any further.
    """

    def __init__(self, **settings: Any) -> None:
        super().__init__(**settings)
        self._turns: Counter[str] = Counter()

    def on_trial_result(
        self, tune_controller: TuneController, trial: TuneTrial, result: dict[str, Any]
    ) -> str:
        """Count the turn."""
        self._turns[trial.trial_id] += 1
        return str(super().on_trial_result(tune_controller, trial, result))

    def choose_trial_to_run(self, tune_controller: TuneController) -> TuneTrial | None:
        """Choose the member that is least far; of several, that which has had the fewest turns."""
        waiting = [t for t in tune_controller.get_trials() if t.status in ("PENDING", "PAUSED")]
        return min(
            waiting,
            key=lambda t: (self._trial_state[t].last_train_time, self._turns[t.trial_id]),
            default=None,
        )

    def _get_new_config(
        self, trial: TuneTrial, trial_to_clone: TuneTrial
    ) -> tuple[dict[str, Any], dict[str, Any]]:
        """Explore from the configuration of another member."""
        config, operations = super()._get_new_config(trial, trial_to_clone)
        space = self._hyperparam_mutations["search"]
        search = {name: _within(value, space[name]) for name, value in config["search"].items()}
        return {**config, "search": search, "trial": trial.config["trial"]}, operations


def _within(value: Any, space: Any) -> Any:
    """Bring a value into a range of Tune's, whose upper end is outside for integers."""
    value = value.item() if isinstance(value, np.generic) else value
    if isinstance(space, Integer):
        return min(max(value, space.lower), space.upper - 1)
    if isinstance(space, Float):
        return min(max(value, space.lower), space.upper)
    return value
