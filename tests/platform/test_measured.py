"""Metric keys and arrays of an experiment: what exists is taken, what does not has a remedy."""

from __future__ import annotations

import pytest
from synthetic import DATA, experiment

from expedition.envs.declared import Declared, declared
from expedition.platform.errors import UserError
from expedition.platform.measured import check_arrays, check_metrics, metric_keys

TABLE = Declared(
    ("block_entropy",),
    {"visits": 2, "goals": 2, "goal_episodes": 1, "goals_found": 1},
    ("near", "action"),
)


def plots(*plots: dict) -> dict:
    return {**DATA, "plots": list(plots)}


def test_an_environment_declares_metrics_arrays_and_no_terms() -> None:
    found = declared("expedition/Navigation-v0", {"halls": 5})
    assert "halls_window" in found.metrics
    assert found.arrays == {"visits": 2, "x_edges": 1, "y_edges": 1}
    assert found.reward_terms == ()
    assert declared("CartPole-v1") == Declared()


def test_keys_of_reward_terms_skills_and_the_historical_average_are_known() -> None:
    assert {
        "train/terms/near",
        "eval/historical/terms/action",
        "eval/skills/pairwise_tv",
        "eval/skills/coverage/block_entropy",
        "eval/historical/return_mean",
    } <= set(metric_keys(TABLE))


def test_a_wrong_term_is_answered_with_the_nearest() -> None:
    wrong = experiment(metrics={"m": {"key": "train/terms/naer"}}, plots=[], claims=[])
    with pytest.raises(UserError, match=r"did you mean 'train/terms/near'\?"):
        check_metrics(wrong, TABLE, ".".join)


@pytest.mark.parametrize(
    ("plot", "message"),
    [
        ({"kind": "heatmap", "array": "eval/visit"}, r"did you mean 'eval/visits'\?"),
        ({"kind": "heatmap", "array": ["eval/visits", "evl/visits"]}, "plots.0.array: .*'evl/vis"),
        ({"kind": "heatmap", "array": "eval/goals_found"}, "of 2 dimensions, .* has 1"),
        ({"kind": "array_curve", "array": "eval/visits"}, "of 1 dimensions, .* has 2"),
        (
            {"kind": "array_curve", "array": "eval/goals_found", "x": "episode"},
            "unknown array 'episode'",
        ),
    ],
)
def test_arrays_that_no_trial_has_are_refused(plot: dict, message: str) -> None:
    with pytest.raises(UserError, match=message):
        check_arrays(experiment(**plots(plot)), TABLE, ".".join)


def test_arrays_of_skills_and_of_the_historical_average_are_taken() -> None:
    fine = plots(
        {"kind": "heatmap", "array": ["eval/skill-*/visits", "eval/skill-3/visits"]},
        {"kind": "array_curve", "array": "eval/historical/goals_found"},
        {"kind": "goals", "array": "eval/goals"},
    )
    check_arrays(experiment(**fine), TABLE, ".".join)
    without = Declared((), {"goals": 2})
    with pytest.raises(UserError, match="has no 'goal_episodes' beside it"):
        check_arrays(
            experiment(**plots({"kind": "goals", "array": "eval/goals"})), without, ".".join
        )
