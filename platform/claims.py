"""Verdicts on what the paper says: confirmed, contradicted or inconclusive, from several seeds.

A claim holds when a quantity (a difference, a score, a probability) lies on one side of a bound.
It is confirmed when the whole 95 % bootstrap interval does, contradicted when the whole interval
lies on the other side, and inconclusive otherwise, or with fewer than three seeds.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from expedition.platform import statistics
from expedition.platform.claim_schema import Claim
from expedition.platform.comparison import Comparison, Verdict, compare
from expedition.platform.evidence import Evidence, rise, rise_over_tasks, steps_to_reach
from expedition.platform.results import Run
from expedition.platform.statistics import Interval
from expedition.platform.store import DONE

MIN_SEEDS = 3  # below this a bootstrap over seeds says nothing


@dataclass(frozen=True)
class Judgement:
    """A claim judged on some tasks together.

    Attributes:
        tasks: The tasks.
        verdict: The verdict on them.
        reason: Why, in one sentence.
        scores: Our score of each variant the claim names, as far as it was run.
        comparisons: The quantities behind the verdict.
        seeds: Seeds behind each variant's score.
    """

    tasks: tuple[str, ...]
    verdict: Verdict
    reason: str
    scores: dict[str, Interval]
    comparisons: tuple[Comparison, ...]
    seeds: dict[str, int]

    def to_dict(self) -> dict[str, Any]:
        """Return plain values for JSON."""
        return {
            "tasks": list(self.tasks),
            "verdict": self.verdict,
            "reason": self.reason,
            "scores": {name: score.to_dict() for name, score in self.scores.items()},
            "seeds": self.seeds,
            "comparisons": [
                {"label": c.label, "relation": c.relation, "bound": c.bound, "verdict": c.verdict}
                | c.interval.to_dict()
                for c in self.comparisons
            ],
        }


@dataclass(frozen=True)
class Result:
    """The verdict on a claim.

    Attributes:
        claim: The claim.
        verdict: On all its tasks; a claim that one task contradicts is not confirmed.
        reason: Why, in one sentence.
        pooled: Judged on all its tasks together, stratified by task.
        by_task: Judged on each task, when there are several.
        notes: Trials that are missing from the evidence, and why.
    """

    claim: Claim
    verdict: Verdict
    reason: str
    pooled: Judgement
    by_task: tuple[Judgement, ...]
    notes: tuple[str, ...]

    def to_dict(self) -> dict[str, Any]:
        """Return plain values for JSON."""
        return {
            "id": self.claim.id,
            "says": self.claim.says,
            "verdict": self.verdict,
            "reason": self.reason,
            "paper": self.claim.paper,
            "paper_values": self.claim.paper_values,
            "pooled": self.pooled.to_dict(),
            "by_task": [judgement.to_dict() for judgement in self.by_task],
            "notes": list(self.notes),
        }


def judge(run: Run) -> list[Result]:
    """Judge every claim of a run's experiment on its finished trials.

    Args:
        run: The run, finished or not.

    Returns:
        One result a claim, in the experiment's order.
    """
    evidence = Evidence(run)
    return [_judge_claim(claim, evidence) for claim in run.experiment.claims]


def count(results: Sequence[Result]) -> dict[Verdict, int]:
    """Count the verdicts, confirmed first."""
    verdicts: tuple[Verdict, ...] = ("confirmed", "contradicted", "inconclusive")
    return {verdict: sum(r.verdict == verdict for r in results) for verdict in verdicts}


def _judge_claim(claim: Claim, evidence: Evidence) -> Result:
    experiment = evidence.run.experiment
    wanted = claim.tasks or tuple(experiment.tasks)
    tasks = tuple(task for task in experiment.tasks if task in wanted)
    notes = _absences(claim, tasks, evidence.run)
    skipped = [task for task in wanted if task not in tasks]
    if skipped:
        notes = (f"{', '.join(skipped)} not run", *notes)
    pooled = _judge_on(tasks, claim, evidence)
    along_tasks = claim.kind == "increases" and claim.over == "tasks"
    each = () if along_tasks or len(tasks) < 2 else tasks
    by_task = tuple(_judge_on((task,), _on_one(claim, task), evidence) for task in each)
    against = [j.tasks[0] for j in by_task if j.verdict == "contradicted"]
    if claim.kind == "wins":  # says itself how many tasks may be lost
        against = []
    if pooled.verdict == "confirmed" and against:
        reason = f"{pooled.reason}; but contradicted on {', '.join(against)}"
        return Result(claim, "inconclusive", reason, pooled, by_task, notes)
    return Result(claim, pooled.verdict, pooled.reason, pooled, by_task, notes)


def _on_one(claim: Claim, task: str) -> Claim:
    """The claim on a single task; of a number of tasks won, that this one is."""
    if claim.kind != "wins":
        return claim
    return claim.model_copy(update={"tasks": (task,), "value": 1.0})


def _judge_on(tasks: tuple[str, ...], claim: Claim, evidence: Evidence) -> Judgement:
    """Judge a claim on some tasks together."""
    experiment = evidence.run.experiment
    ran = [name for name in claim.named_variants if name in experiment.variants]
    matrices = {name: evidence.claimed_RT(claim, name, tasks) for name in ran} if tasks else {}
    scores = {name: statistics.interval(matrix) for name, matrix in matrices.items() if len(matrix)}
    seeds = {name: len(matrix) for name, matrix in matrices.items()}
    problem = _too_little(claim, tasks, seeds, evidence.run)
    if problem:
        return Judgement(tasks, "inconclusive", problem, scores, (), seeds)
    comparisons = tuple(_comparisons(claim, tasks, evidence))
    verdicts = {comparison.verdict for comparison in comparisons}
    verdict: Verdict = "confirmed" if verdicts == {"confirmed"} else "inconclusive"
    if "contradicted" in verdicts:
        verdict = "contradicted"
    reason = "; ".join(str(comparison) for comparison in comparisons)
    return Judgement(tasks, verdict, reason, scores, comparisons, seeds)


def _too_little(claim: Claim, tasks: tuple[str, ...], seeds: dict[str, int], run: Run) -> str:
    """Say why there is too little to judge, or nothing."""
    if not tasks:
        return "none of its tasks was run"
    absent = [name for name in claim.named_variants if name not in seeds]
    if absent:
        return f"{', '.join(absent)} not part of this run"
    if claim.kind == "increases" and claim.over == "tasks" and len(tasks) < 2:
        return "only one task was run"
    few = {name: n for name, n in seeds.items() if n < MIN_SEEDS}
    if few:
        who = ", ".join(f"{run.experiment.label(name)} has {n}" for name, n in few.items())
        on = " on every task" if len(tasks) > 1 else ""
        return f"{who} of the {MIN_SEEDS} finished seeds{on} that a verdict needs"
    return ""


def _comparisons(claim: Claim, tasks: tuple[str, ...], evidence: Evidence) -> list[Comparison]:
    """Estimate the quantities of a claim."""
    match claim.kind:
        case "order":
            return _order(claim, tasks, evidence)
        case "wins":
            return [_wins(claim, tasks, evidence)]
        case "ratio":
            return [_ratio(claim, tasks, evidence)]
        case "reaches_before":
            return [_reaches_before(claim, tasks, evidence)]
        case "increases":
            return [_increases(claim, tasks, evidence)]
        case _:
            return [_bound(claim, tasks, evidence)]


def _order(claim: Claim, tasks: tuple[str, ...], evidence: Evidence) -> list[Comparison]:
    experiment = evidence.run.experiment
    higher = experiment.metrics[claim.metric].higher_is_better
    pairs = zip(claim.variants, claim.variants[1:], strict=False)
    comparisons = []
    for better, worse in pairs:
        first, second = (better, worse) if higher else (worse, better)
        gap = statistics.difference(
            evidence.claimed_RT(claim, first, tasks),
            evidence.claimed_RT(claim, second, tasks),
        )
        label = f"{experiment.label(first)} - {experiment.label(second)}"
        comparisons.append(compare(label, gap, ">", claim.margin))
    return comparisons


def _wins(claim: Claim, tasks: tuple[str, ...], evidence: Evidence) -> Comparison:
    """Judge the number of tasks won; tasks that were not run may still go either way."""
    assert claim.value is not None
    experiment = evidence.run.experiment
    sign = 1.0 if experiment.metrics[claim.metric].higher_is_better else -1.0
    first, *others = (
        sign * evidence.scores_RT(claim.metric, name, tasks) for name in claim.variants
    )
    won = statistics.tasks_won(first, others, rank=claim.rank)
    missing = len(claim.tasks or experiment.tasks) - len(tasks)
    own, *rest = (experiment.label(name) for name in claim.variants)
    rank = f"is among the best {claim.rank} of" if claim.rank > 1 else "beats"
    label = f"tasks on which {own} {rank} {', '.join(rest)}"
    label += f" ({missing} not run)" if missing else ""
    return compare(label, Interval(won.point, won.low, won.high + missing), ">=", claim.value)


def _bound(claim: Claim, tasks: tuple[str, ...], evidence: Evidence) -> Comparison:
    assert claim.variant is not None  # the schema requires both for these kinds
    assert claim.value is not None
    score = statistics.interval(evidence.claimed_RT(claim, claim.variant, tasks))
    label = evidence.run.experiment.label(claim.variant)
    if claim.minus is not None:
        label = f"{label}: {claim.metric} - {claim.minus}"
    return compare(label, score, ">=" if claim.kind == "at_least" else "<=", claim.value)


def _ratio(claim: Claim, tasks: tuple[str, ...], evidence: Evidence) -> Comparison:
    """Judge a/b >= value by a - value * b >= 0, which stays finite when b is near zero."""
    assert claim.value is not None
    a, b = (evidence.scores_RT(claim.metric, name, tasks) for name in claim.variants)
    first, second = (evidence.run.experiment.label(name) for name in claim.variants)
    excess = compare("", statistics.difference(a, b, scale=claim.value), ">=", 0.0)
    label = f"{first} / {second}"
    return Comparison(label, statistics.ratio(a, b), ">=", claim.value, excess.verdict)


def _reaches_before(claim: Claim, tasks: tuple[str, ...], evidence: Evidence) -> Comparison:
    """Judge P(a run of the first reaches the threshold in fewer steps than one of the second)."""
    assert claim.value is not None
    number = steps_to_reach(claim.value, evidence.run.experiment.metrics[claim.metric])
    first, second = (
        evidence.of_curves_RT(claim.metric, name, tasks, number) for name in claim.variants
    )
    labels = [evidence.run.experiment.label(name) for name in claim.variants]
    earlier = statistics.probability_of_improvement(-first, -second)  # fewer is better
    label = f"P({labels[0]} reaches {claim.value:g} before {labels[1]})"
    return compare(label, earlier, ">", 0.5)


def _increases(claim: Claim, tasks: tuple[str, ...], evidence: Evidence) -> Comparison:
    assert claim.variant is not None
    label = evidence.run.experiment.label(claim.variant)
    if claim.over == "tasks":
        rises = rise_over_tasks(evidence.scores_RT(claim.metric, claim.variant, tasks))
        label = f"{label}: change from {tasks[0]} to {tasks[-1]}"
    else:
        rises = evidence.of_curves_RT(claim.metric, claim.variant, tasks, rise)
        label = f"{label}: change over training"
    return compare(label, statistics.interval(rises), ">", claim.margin)


def _absences(claim: Claim, tasks: tuple[str, ...], run: Run) -> tuple[str, ...]:
    """Say which trials of the claim's variants are not in the evidence, by state."""
    mine = run.trials[
        run.trials["variant"].isin(claim.named_variants)
        & run.trials["task"].isin(tasks)
        & (run.trials["state"] != DONE)
    ]
    return tuple(
        f"{run.experiment.label(str(variant))} on {task}: {len(group)} of "
        f"{len(run.experiment.seeds)} seeds {state}"
        for (task, variant, state), group in mine.groupby(["task", "variant", "state"], sort=False)
    )
