"""Each family of methods can be a member of a population: paused, copied and changed."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from expedition.platform import checkpoints
from expedition.platform.learning_rates import learning_rates
from expedition.platform.overrides import Override
from expedition.platform.plan import Trial, trials_of
from expedition.platform.single import single_experiment
from expedition.platform.store import RunFolder
from expedition.platform.trial_run import TrialRun

pytestmark = pytest.mark.usefixtures("ray_of_two")

OFF_POLICY = {
    "iteration_steps": 20, "warmup_steps": 10, "train_batch_size": 8, "replay_capacity": 200,
}  # fmt: skip
TASKS = {"meta_batch_size": 3, "test_tasks": 2, "test_episodes": 2, "test_steps": 1}
WALK = {"demonstrations": "imitation_1d", "demonstration_episodes": 20, "iteration_updates": 5}
GOALS, HALLS, RING = (f"expedition/{name}-v0" for name in ("PointGoals", "Navigation", "Ring"))

# Method, environment, settings that make it quick, a setting to change and its values.
FAMILIES: list[tuple[str, str, dict[str, Any], tuple[str, Any, Any]]] = [
    ("sac", HALLS, OFF_POLICY, ("policy_lr", 1e-3, 2e-3)),
    ("smm", HALLS, OFF_POLICY, ("state_entropy_coeff", 1.0, 0.5)),
    ("nbp", GOALS, OFF_POLICY, ("policy_lr", 1e-3, 2e-3)),
    ("trpo", GOALS, {"batch_steps": 200}, ("gae_lambda", 1.0, 0.9)),
    ("nfp", GOALS, {"train_batch_size_per_learner": 128, "num_epochs": 1}, ("lr", 1e-3, 2e-3)),
    ("maesn", RING, {**TASKS, "episodes_per_task": 2}, ("gamma", 0.99, 0.9)),
    ("rl2", RING, {**TASKS, "trials_per_task": 2, "hidden_size": 8}, ("gamma", 0.99, 0.9)),
    ("cem", GOALS, {"population": 4}, ("elite_fraction", 0.5, 0.25)),
    ("clone", "expedition/Imitation1D-v0", WALK, ("lr", 1e-3, 2e-3)),
]


def _members(case: tuple[str, str, dict[str, Any], tuple[str, Any, Any]]) -> list[Trial]:
    method, env, settings, (name, before, after) = case
    overrides = [Override((key,), value) for key, value in settings.items()]
    (trial,) = trials_of(single_experiment(method, env, steps=10**6, overrides=overrides))
    values = {"donor": before, "twin": before, "changed": after}
    return [trial.at({name: value}, member) for member, value in values.items()]


def _row(run: TrialRun) -> dict[str, Any]:
    return {name: value for name, value in run.advance().items() if not name.startswith("time/")}


@pytest.mark.parametrize("case", FAMILIES, ids=[case[0] for case in FAMILIES])
def test_a_copy_has_the_whole_state_and_its_own_settings(
    case: tuple[str, str, dict[str, Any], tuple[str, Any, Any]], tmp_path: Path
) -> None:
    donor, twin, changed = _members(case)
    folder = RunFolder(tmp_path)
    run = TrialRun(donor, folder.trial(donor.id))
    run.advance()
    run.export(tmp_path / "exchange")
    then, rates = _row(run), learning_rates(run.algorithm)
    run.close()
    copied = checkpoints.find(tmp_path / "exchange")

    run = TrialRun(twin, folder.trial(twin.id))
    run.advance()
    run.adopt(copied)
    assert _row(run) == then
    run.close()  # without a word, as a killed process
    run = TrialRun(twin, folder.trial(twin.id))
    assert _row(run) == then
    run.close()

    name, _, after = case[3]
    run = TrialRun(changed, folder.trial(changed.id))
    run.adopt(copied)
    assert run.algorithm.config[name] == after
    flat = [rate for of_groups in learning_rates(run.algorithm).values() for rate in of_groups]
    assert (after in flat) == name.endswith("lr")
    row = _row(run)
    assert (row["iteration"], row[f"search/{name}"]) == (2, after)
    if not name.endswith("lr"):
        assert learning_rates(run.algorithm) == rates
    run.close()
