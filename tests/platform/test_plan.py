from __future__ import annotations

import pytest
from fakes import fake_experiment

from expedition.platform.plan import Trial, nested, point_name, trials_of


def test_trials_are_tasks_times_variants_times_seeds_seeds_outermost() -> None:
    experiment = fake_experiment(tasks={"a": {}, "b": {}}, seeds=[3, 7])

    ids = [trial.id for trial in trials_of(experiment)]

    assert ids == [
        "a/low/seed_3", "a/high/seed_3", "b/low/seed_3", "b/high/seed_3",
        "a/low/seed_7", "a/high/seed_7", "b/low/seed_7", "b/high/seed_7",
    ]  # fmt: skip


def test_a_trial_holds_everything_that_decides_its_numbers() -> None:
    experiment = fake_experiment(
        env_config={"a": 1, "b": 1},
        tasks={"big": {"b": 2}},
        config={"gain": 9.0, "sleep_s": 0.5},
        resources={"cpus": 2, "gpus": 0.5},
    )

    trial = trials_of(experiment)[0]

    assert trial.env_config == {"a": 1, "b": 2}
    assert trial.config == {"gain": 0.5, "sleep_s": 0.5}
    assert trial.resources == {"cpus": 2, "gpus": 0.5}
    assert (trial.algorithm, trial.env, trial.budget) == ("fake", "CartPole-v1", 100)
    assert Trial.from_dict(trial.to_dict()) == trial


def test_a_sweep_point_changes_the_settings_and_the_folder() -> None:
    trial = trials_of(fake_experiment(config={"net": {"lr": 1.0, "width": 8}}))[0]

    moved = trial.at({"net.lr": 0.1, "gain": 2.0})

    assert moved.config == {"gain": 2.0, "net": {"lr": 0.1, "width": 8}}
    assert moved.id == f"default/low/{point_name({'gain': 2.0, 'net.lr': 0.1})}/seed_0"
    assert trial.config["net"] == {"lr": 1.0, "width": 8}
    assert moved.search == {"net.lr": 0.1, "gain": 2.0}


def test_point_names_depend_on_values_and_not_on_their_order() -> None:
    assert point_name({"a": 1, "b": 2}) == point_name({"b": 2, "a": 1})
    assert point_name({"a": 1, "b": 2}) != point_name({"a": 1, "b": 3})


@pytest.mark.parametrize(("key", "expected"), [("a", {"a": 1}), ("a.b.c", {"a": {"b": {"c": 1}}})])
def test_dotted_keys_nest(key: str, expected: dict) -> None:
    assert nested(key, 1) == expected
