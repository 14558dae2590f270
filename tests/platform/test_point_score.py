from __future__ import annotations

import math
from typing import Any

import pytest
from ray.tune.search import Searcher
from ray.tune.search.optuna import OptunaSearch

from expedition.platform.groups import REPEAT_INDEX, GroupedSearcher
from expedition.platform.optuna_search import NewPoints, PointSearcher
from expedition.platform.plan import point_name
from expedition.platform.schedulers import tune_domains
from expedition.platform.scores import point_score


class _Study(Searcher):
    """Suggests 0, 1, 2, ... and remembers what it is told."""

    def __init__(self, mode: str = "max") -> None:
        super().__init__(metric="objective", mode=mode)
        self.suggested: list[str] = []
        self.told: dict[str, float] = {}

    def suggest(self, trial_id: str) -> dict[str, Any]:
        self.suggested.append(trial_id)
        return {"search": {"gain": len(self.suggested) - 1}}

    def on_trial_complete(
        self, trial_id: str, result: dict[str, Any] | None = None, error: bool = False
    ) -> None:
        assert result is not None
        self.told[trial_id] = result["objective"]


def test_seeds_count_by_their_interquartile_mean() -> None:
    scores = [("a", value) for value in (100.0, 1.0, 3.0, 2.0, -50.0)]  # -50 and 100 are dropped
    assert point_score(scores) == pytest.approx(2.0)
    assert point_score(scores[:3]) == pytest.approx(104 / 3)  # too few to drop one


def test_tasks_count_alike_whatever_their_scale() -> None:
    easy = [("easy", value) for value in (1000.0, 1000.0, 1000.0, 1000.0)]
    hard = [("hard", value) for value in (0.0, 1.0, 3.0, 9.0)]
    assert point_score([*easy, *hard]) == pytest.approx((1000 + 2) / 2)


def test_one_failed_seed_of_four_is_dropped_and_two_are_not() -> None:
    assert point_score([("a", v) for v in (-math.inf, 1.0, 2.0, 5.0)]) == pytest.approx(1.5)
    assert point_score([("a", v) for v in (-math.inf, -math.inf, 2.0, 5.0)]) == -math.inf


def test_the_study_is_told_once_a_point_when_its_last_trial_has_ended() -> None:
    study = _Study()
    searcher = PointSearcher(study, ["a", "a", "a", "a"])
    given = [searcher.suggest(f"t{k}") for k in range(6)]

    assert study.suggested == ["t0", "t4"]
    assert [config["search"]["gain"] for config in given if config] == [0, 0, 0, 0, 1, 1]
    assert [config[REPEAT_INDEX] for config in given if config] == [0, 1, 2, 3, 0, 1]
    for trial, score in {"t3": 9.0, "t1": 1.0, "t0": 2.0}.items():
        searcher.on_trial_complete(trial, {"objective": score})
    assert study.told == {}
    searcher.on_trial_complete("t2", {"objective": 4.0})
    assert study.told == {"t0": 3.0}


@pytest.mark.parametrize(("mode", "worst"), [("max", -math.inf), ("min", math.inf)])
def test_a_trial_that_ends_without_a_result_is_the_worst(mode: str, worst: float) -> None:
    study = _Study(mode)
    searcher = PointSearcher(study, ["a", "b"])
    searcher.suggest("t0")
    searcher.suggest("t1")
    searcher.on_trial_complete("t0", {"objective": 1.0})
    searcher.on_trial_complete("t1", None, error=True)
    assert study.told == {"t0": worst}


def test_points_given_out_do_not_share_their_values() -> None:
    searcher = PointSearcher(_Study(), ["a", "a"])
    first, second = searcher.suggest("t0"), searcher.suggest("t1")
    assert first is not None
    assert second is not None
    first["search"]["gain"] = 7
    assert second["search"]["gain"] == 0


def test_no_point_is_given_out_twice_and_a_variant_without_new_ones_leaves_the_others() -> None:
    space = {"search": tune_domains({"gain": {"choice": [1, 2, 3]}})}
    study = OptunaSearch(
        OptunaSearch.convert_search_space(space), metric="objective", mode="max", seed=0
    )
    small = NewPoints(study, [point_name({"gain": 3})])
    searcher = GroupedSearcher({"small": small, "large": _Study()})

    given = [searcher.suggest(f"t{k}") for k in range(6)]
    values = {
        group: [g["search"]["gain"] for g in given if isinstance(g, dict) and g["group"] == group]
        for group in ("small", "large")
    }
    assert sorted(values["small"]) == [1, 2]
    assert values["large"] == [0, 1, 2, 3]
    for k in range(6):
        searcher.on_trial_complete(f"t{k}", {"objective": float(k)})
    told = [trial.value for trial in study._ot_study.trials if trial.state.name == "COMPLETE"]
    assert len(told) == 2
    alone = GroupedSearcher({"small": small})
    assert alone.suggest("more") == Searcher.FINISHED
