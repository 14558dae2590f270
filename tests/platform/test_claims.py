"""Verdicts: each kind of claim confirmed, contradicted and inconclusive."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from synthetic import experiment, write_run

from expedition.platform import claims, evidence, results
from expedition.platform.claims import Result
from expedition.platform.results import Run
from expedition.platform.schema import Metric

LEVELS = {"sac": 0.2, "smm": 0.6, "sm4": 0.6, "random": 0.5}


@pytest.fixture(scope="module")
def run(tmp_path_factory) -> Run:
    return results.read(write_run(tmp_path_factory.mktemp("r") / "run", levels=LEVELS, noise=0.05))


def judged(run: Run, **claim: Any) -> Result:
    return judged_beside(run, {}, **claim)


def judged_beside(run: Run, not_run: dict[str, dict], **claim: Any) -> Result:
    """Judge a claim of an experiment that also has tasks which this run left out."""
    claim = {"id": "c", "says": "it is so", "metric": "halls", **claim}
    every = {"halls-3": {"halls": 3}, "halls-5": {"halls": 5}, **not_run}
    declared = experiment(claims=[claim], seeds=list(run.experiment.seeds), tasks=every)
    tasks = {name: own for name, own in declared.tasks.items() if name in run.experiment.tasks}
    declared = declared.model_copy(update={"tasks": tasks})
    changed = Run(run.path, declared, run.manifest, run.trials, run.rows)
    (result,) = claims.judge(changed)
    return result


@pytest.mark.parametrize(
    ("claim", "verdict"),
    [
        ({"kind": "order", "variants": ["smm", "sac"]}, "confirmed"),
        ({"kind": "order", "variants": ["sac", "smm"]}, "contradicted"),
        ({"kind": "order", "variants": ["smm", "sm4"]}, "inconclusive"),
        ({"kind": "order", "variants": ["smm", "random", "sac"]}, "confirmed"),
        ({"kind": "order", "variants": ["smm", "sac", "random"]}, "contradicted"),
        ({"kind": "order", "variants": ["smm", "sac"], "margin": 0.2}, "confirmed"),
        ({"kind": "order", "variants": ["smm", "sac"], "margin": 0.6}, "contradicted"),
        ({"kind": "at_least", "variant": "smm", "value": 0.4}, "confirmed"),
        ({"kind": "at_least", "variant": "smm", "value": 0.8}, "contradicted"),
        ({"kind": "at_most", "variant": "sac", "value": 0.35}, "confirmed"),
        ({"kind": "at_most", "variant": "smm", "value": 0.35}, "contradicted"),
        ({"kind": "at_least", "variant": "sac", "minus": "return", "value": -1}, "contradicted"),
        ({"kind": "at_most", "variant": "sac", "minus": "return", "value": -1.6}, "confirmed"),
        ({"kind": "ratio", "variants": ["smm", "sac"], "value": 2.0}, "confirmed"),
        ({"kind": "ratio", "variants": ["smm", "sac"], "value": 9.0}, "contradicted"),
        ({"kind": "reaches_before", "variants": ["smm", "sac"], "value": 0.4}, "confirmed"),
        ({"kind": "reaches_before", "variants": ["sac", "smm"], "value": 0.4}, "contradicted"),
        ({"kind": "reaches_before", "variants": ["sac", "smm"], "value": 2.0}, "inconclusive"),
        ({"kind": "wins", "variants": ["smm", "sac"], "value": 2}, "confirmed"),
        ({"kind": "wins", "variants": ["smm", "random", "sac"], "value": 1}, "confirmed"),
        ({"kind": "wins", "variants": ["sac", "smm"], "value": 1}, "contradicted"),
        (
            {"kind": "wins", "variants": ["sac", "smm", "random"], "value": 1, "rank": 2},
            "contradicted",
        ),
        (
            {"kind": "wins", "variants": ["random", "smm", "sac"], "value": 2, "rank": 2},
            "confirmed",
        ),
        ({"kind": "increases", "variant": "smm"}, "confirmed"),
        ({"kind": "increases", "variant": "smm", "margin": 0.9}, "contradicted"),
        ({"kind": "increases", "variant": "smm", "over": "tasks", "margin": 0.5}, "contradicted"),
    ],
)
def test_verdicts(run: Run, claim: dict[str, Any], verdict: str) -> None:
    result = judged(run, **claim)
    assert result.verdict == verdict, result.reason
    assert result.reason
    assert len(result.by_task) == (0 if claim.get("over") == "tasks" else 2)


def test_won_tasks_are_counted_and_those_not_run_may_go_either_way(run: Run) -> None:
    claim = {"kind": "wins", "variants": ["smm", "sac"], "tasks": ["halls-3", "halls-5", "halls-7"]}
    result = judged_beside(run, {"halls-7": {"halls": 7}}, **claim, value=3)
    assert result.verdict == "inconclusive"
    assert result.reason == (
        "tasks on which SMM beats SAC (1 not run) = 2.00 [2.00, 3.00], claimed >= 3"
    )
    assert [judgement.verdict for judgement in result.by_task] == ["confirmed", "confirmed"]
    assert judged_beside(run, {"halls-7": {"halls": 7}}, **claim, value=2).verdict == "confirmed"
    lost = claim | {"variants": ["sac", "smm"]}
    assert judged_beside(run, {"halls-7": {"halls": 7}}, **lost, value=2).verdict == "contradicted"


def test_two_metrics_of_a_variant_are_compared_seed_by_seed(run: Run) -> None:
    claim = {"kind": "at_most", "variant": "smm", "minus": "return", "value": 0.0}
    pooled = judged(run, **claim).pooled
    # The return levels off at ten times the level, the same in every seed.
    halls = judged(run, kind="at_most", variant="smm", value=0.0).pooled.scores["smm"]
    assert pooled.scores["smm"].point == pytest.approx(halls.point - 6.0)
    assert pooled.comparisons[0].label == "SMM: halls - return"


def test_two_variants_are_ordered_by_a_metric_of_their_own(run: Run) -> None:
    claim = {"kind": "order", "variants": ["smm", "sac"], "metric": "return", "than": "halls"}
    halls = judged(run, kind="order", variants=["smm", "sac"]).pooled.scores
    pooled = judged(run, **claim).pooled
    # The return levels off at ten times the level, the same in every seed.
    assert pooled.scores["smm"].point == pytest.approx(6.0)
    assert pooled.scores["sac"].point == halls["sac"].point
    gap = pooled.comparisons[0].interval
    assert gap.point == pytest.approx(6.0 - halls["sac"].point)
    assert judged(run, **claim, margin=5.9).verdict == "contradicted"


def test_order_follows_the_metrics_direction(run: Run) -> None:
    metric = {"m": {"key": "coverage/halls_window", "higher_is_better": False}}
    declared = experiment(
        metrics=metric,
        plots=[],
        claims=[
            {"id": "c", "says": "", "kind": "order", "metric": "m", "variants": ["sac", "smm"]}
        ],
    )
    (result,) = claims.judge(Run(run.path, declared, {}, run.trials, run.rows))
    assert result.verdict == "confirmed"
    assert result.pooled.comparisons[0].label == "SMM - SAC"


def test_measured_numbers_come_with_the_verdict(run: Run) -> None:
    result = judged(
        run, kind="order", variants=["smm", "sac"], paper="60 %", paper_values={"smm": 0.6}
    )
    scores = result.pooled.scores
    assert scores["smm"].low <= scores["smm"].point <= scores["smm"].high
    assert 0.5 < scores["smm"].point < 0.7
    assert result.pooled.seeds == {"smm": 4, "sac": 4}
    content = json.loads(json.dumps(result.to_dict()))
    assert content["verdict"] == "confirmed"
    assert content["paper_values"] == {"smm": 0.6}
    assert content["pooled"]["comparisons"][0]["low"] > 0
    assert "SMM - SAC = " in content["reason"]


def test_never_from_fewer_than_three_seeds(tmp_path: Path) -> None:
    small = results.read(write_run(tmp_path / "run", experiment(seeds=2), levels=LEVELS))
    result = judged(small, kind="order", variants=["smm", "sac"])
    assert result.verdict == "inconclusive"
    assert result.reason == (
        "SMM has 2, SAC has 2 of the 3 finished seeds on every task that a verdict needs"
    )
    assert result.pooled.scores["smm"].point > 0.4


def test_missing_trials_are_named(tmp_path: Path) -> None:
    path = write_run(tmp_path / "run", levels=LEVELS)
    failed = path / "trials/halls-5/smm/seed_1/status.json"
    failed.write_text(json.dumps({"state": "failed", "error": {"message": "nan"}}))
    shutil.rmtree(path / "trials/halls-3/sac/seed_0")
    result = judged(results.read(path), kind="order", variants=["smm", "sac"])
    assert result.verdict == "confirmed"
    assert set(result.notes) == {
        "SMM on halls-5: 1 of 4 seeds failed",
        "SAC on halls-3: 1 of 4 seeds missing",
    }
    assert result.pooled.seeds == {"smm": 3, "sac": 3}


def test_variants_and_tasks_that_were_not_run(run: Run) -> None:
    declared = experiment()
    kept = {name: variant for name, variant in declared.variants.items() if name != "sm4"}
    smaller = declared.model_copy(update={"variants": kept})
    verdicts = claims.judge(Run(run.path, smaller, {}, run.trials, run.rows))
    assert verdicts[2].verdict == "inconclusive"
    assert verdicts[2].reason == "sm4 not part of this run"
    one_task = declared.model_copy(update={"tasks": {"halls-5": {"halls": 5}}})
    claim = declared.claims[0].model_copy(update={"tasks": ("halls-3",)})
    (result,) = claims.judge(
        Run(run.path, one_task.model_copy(update={"claims": (claim,)}), {}, run.trials, run.rows)
    )
    assert (result.verdict, result.reason) == ("inconclusive", "none of its tasks was run")
    assert result.notes == ("halls-3 not run",)


def test_a_claim_that_one_task_contradicts_is_not_confirmed(run: Run) -> None:
    rows = run.rows.copy()
    here = (rows["task"] == "halls-5") & (rows["variant"] == "smm")
    rows.loc[here, "coverage/halls_window"] = 0.05
    mixed = Run(run.path, run.experiment, {}, run.trials, rows)
    result = judged(mixed, kind="at_least", variant="smm", value=0.2)
    assert result.pooled.verdict == "confirmed"
    assert result.verdict == "inconclusive"
    assert "contradicted on halls-5" in result.reason


def test_counting() -> None:
    assert claims.count([]) == {"confirmed": 0, "contradicted": 0, "inconclusive": 0}


def test_rise_is_the_change_along_the_least_squares_line() -> None:
    steps = np.array([0.0, 1.0, 2.0, 3.0])
    assert evidence.rise(steps, 2 * steps + 1) == pytest.approx(6.0)
    assert evidence.rise(steps[:1], steps[:1]) == 0.0
    np.testing.assert_allclose(evidence.rise_over_tasks(np.array([[1.0, 2.0, 3.0]])), [[2.0]])


def test_steps_to_reach_respects_the_direction() -> None:
    steps, values = np.array([10.0, 20.0, 30.0]), np.array([3.0, 2.0, 1.0])
    up = evidence.steps_to_reach(2.5, Metric(key="k"))
    down = evidence.steps_to_reach(2.0, Metric(key="k", higher_is_better=False))
    assert up(steps, values) == 10.0
    assert down(steps, values) == 20.0
    assert evidence.steps_to_reach(9.0, Metric(key="k"))(steps, values) == evidence.NEVER
