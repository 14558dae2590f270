"""``--set a.b=value`` and ``--seeds``."""

from __future__ import annotations

import pytest

from expedition.platform import overrides
from expedition.platform.errors import UserError


def apply(data: dict, *texts: str) -> dict:
    return overrides.apply(data, [overrides.parse(text) for text in texts])


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("a=3e-4", 3e-4),
        ("a=[300, 300]", [300, 300]),
        ("a={halls: 3}", {"halls": 3}),
        ("a=relu", "relu"),
        ("a=null", None),
        ("a=x=y", "x=y"),
        ("a=true", True),
    ],
)
def test_values_are_yaml(text: str, value: object) -> None:
    assert overrides.parse(text).value == value


@pytest.mark.parametrize("text", ["a", "=3", "a..b=1"])
def test_malformed_options_say_how(text: str) -> None:
    with pytest.raises(UserError, match="write key=value"):
        overrides.parse(text)


def test_sets_nested_fields_and_leaves_the_input_alone() -> None:
    data = {"config": {"alpha": 1.0}, "claims": [{"id": "c", "value": 1}]}
    changed = apply(data, "config.net.width=3", "claims.0.value=2", "budget=5")
    assert changed == {
        "config": {"alpha": 1.0, "net": {"width": 3}},
        "claims": [{"id": "c", "value": 2}],
        "budget": 5,
    }
    assert data == {"config": {"alpha": 1.0}, "claims": [{"id": "c", "value": 1}]}


def test_common_setting_wins_over_variants_but_not_over_a_later_option() -> None:
    data = {"config": {}, "variants": {"a": {"config": {"alpha": 1, "tau": 2}}}}
    changed = apply(data, "config.alpha=5")
    assert changed["config"] == {"alpha": 5}
    assert changed["variants"]["a"]["config"] == {"tau": 2}
    later = apply(data, "config.alpha=5", "variants.a.config.alpha=6")
    assert later["variants"]["a"]["config"]["alpha"] == 6


def test_environment_setting_hidden_by_tasks_is_refused() -> None:
    data = {"env_config": {}, "tasks": {"halls-3": {"halls": 3}}}
    with pytest.raises(UserError, match=r"use --set tasks\.halls-3\.halls="):
        apply(data, "env_config.halls=9")
    assert apply(data, "env_config.hall_length=9")["env_config"] == {"hall_length": 9}


def test_a_path_through_a_number_is_refused() -> None:
    with pytest.raises(UserError, match="nothing named 'x' to set"):
        apply({"budget": 3}, "budget.x=1")


def test_seeds() -> None:
    assert overrides.parse_seeds("4") == 4
    assert overrides.parse_seeds("0,3,5") == (0, 3, 5)


@pytest.mark.parametrize("text", ["0", "-1", "a", "1,-2", ""])
def test_bad_seeds(text: str) -> None:
    with pytest.raises(UserError, match="--seeds"):
        overrides.parse_seeds(text)
