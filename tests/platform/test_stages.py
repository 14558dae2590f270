from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from expedition.platform import results, scores, trial_run
from expedition.platform.checks import check
from expedition.platform.errors import UserError
from expedition.platform.mlflow_store import trial_params
from expedition.platform.objective import Objective
from expedition.platform.plan import Trial, trial_of, trials_of
from expedition.platform.resolve import Choices, resolve
from expedition.platform.runfolder import open_run
from expedition.platform.spec import Experiment, load_resolved
from expedition.platform.store import TrialFolder
from expedition.platform.trial_run import TrialRun
from expedition.platform.yamlfile import Document

pytestmark = pytest.mark.usefixtures("ray_of_two")

SAC: dict[str, Any] = {
    "hidden_sizes": [8],
    "train_batch_size": 8,
    "warmup_steps": 10,
    "iteration_steps": 20,
    "updates_per_step": 0.5,
    "replay_capacity": 100,
}
DATA: dict[str, Any] = {
    "paper": "test",
    "title": "Running, then running between walls",
    "env": "expedition/PointRun-v0",
    "tasks": {"narrow": {"width": 2.0}, "wide": {"width": 6.0}},
    "config": SAC,
    "variants": {
        "transfer": {"algorithm": "sac"},
        "scratch": {"algorithm": "sac", "start": "finetune"},
    },
    "stages": {
        "pretrain": {"env_config": {"width": None}, "budget": 60},
        "finetune": {"budget": 40, "config": {"warmup_actions": "policy", "warmup_steps": 15}},
    },
    "seeds": 1,
    "budget": 1000,
    "checkpoint_every": 1,
    "metrics": {
        "tuned": {"key": "train/return_mean"},
        "steps": {"key": "env_steps"},
        "trained": {"key": "updates", "stage": "pretrain"},
    },
}


def _experiment(**changes: Any) -> Experiment:
    document = Document("stages.yaml", {**DATA, **changes}, {})
    resolved = resolve(document, "test/stages", Choices())
    return check(resolved.experiment, resolved.where)


def _state(run: TrialRun) -> dict[str, np.ndarray]:
    state = run.algorithm.module_state()  # type: ignore[attr-defined]
    return {name: np.array(value) for name, value in state.items()}


def _untimed(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [{k: v for k, v in row.items() if not k.startswith("time/")} for row in rows]


def _finish(run: TrialRun) -> list[dict[str, Any]]:
    while not run.finished:
        run.advance()
    rows = _untimed(run.rows)
    run.close()
    return rows


@pytest.fixture(autouse=True)
def _earlier_owners_do_not_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(trial_run, "HANDOVER_S", 0.05)


def test_a_trial_has_the_settings_of_each_stage_and_the_budget_of_all() -> None:
    transfer, scratch = (trial_of(_experiment(), "narrow", v, 0) for v in ("transfer", "scratch"))

    assert [(s["name"], s["budget"]) for s in transfer.stages] == [
        ("pretrain", 60),
        ("finetune", 40),
    ]
    assert [s["env_config"] for s in transfer.stages] == [{"width": None}, {"width": 2.0}]
    assert [s["config"].get("warmup_actions") for s in transfer.stages] == [None, "policy"]
    assert (transfer.budget, scratch.budget) == (100, 40)
    assert [s["name"] for s in scratch.stages] == ["finetune"]
    assert Trial.from_dict(transfer.to_dict()) == transfer
    assert [s["config"]["tau"] for s in transfer.at({"tau": 0.5}).stages] == [0.5, 0.5]
    assert trial_params(transfer)["stages.pretrain.budget"] == 60
    assert _experiment().env_steps == 2 * (100 + 40)


def test_a_stage_with_an_environment_of_its_own_takes_no_settings_of_the_others() -> None:
    stages = {**DATA["stages"], "pretrain": {"env": "expedition/MultiGoal-v0"}}
    experiment = Experiment.model_validate({**DATA, "name": "test/other", "stages": stages})

    first, last = trial_of(experiment, "wide", "transfer", 0).stages
    assert (first["env"], first["env_config"]) == ("expedition/MultiGoal-v0", {})
    assert (last["env"], last["env_config"]) == ("expedition/PointRun-v0", {"width": 6.0})
    assert first["budget"] == 1000


def test_the_second_stage_starts_from_the_parameters_of_the_first_with_all_else_new(
    tmp_path: Path,
) -> None:
    run = TrialRun(trial_of(_experiment(), "narrow", "transfer", 0), TrialFolder(tmp_path))
    for _ in range(3):
        run.advance()
    before = _state(run)
    learned = run.algorithm.learner_group._learner  # type: ignore[attr-defined]
    assert len(learned.replay) > 0

    run._next_stage()

    after = _state(run)
    assert any("target" in name for name in before)
    assert before.keys() == after.keys()
    for name, value in before.items():
        np.testing.assert_array_equal(after[name], value, err_msg=name)
    learner = run.algorithm.learner_group._learner  # type: ignore[attr-defined]
    assert learner is not learned
    assert len(learner.replay) == 0
    assert all(not o.state_dict()["state"] for o in learner._named_optimizers.values())
    acting = run.algorithm.env_runner.module.state_dict()  # type: ignore[union-attr]
    for name, tensor in acting.items():
        np.testing.assert_array_equal(tensor.numpy(), before[name], err_msg=name)
    run.close()


def test_replay_and_optimisers_come_along_when_they_are_to_be_kept(tmp_path: Path) -> None:
    stages = dict(DATA["stages"])
    stages["finetune"] = {**stages["finetune"], "keep": ["replay", "optimisers"]}
    run = TrialRun(
        trial_of(_experiment(stages=stages), "narrow", "transfer", 0), TrialFolder(tmp_path)
    )
    for _ in range(3):
        run.advance()
    learned = run.algorithm.learner_group._learner.replay  # type: ignore[attr-defined]
    filled = len(learned)

    run._next_stage()

    learner = run.algorithm.learner_group._learner  # type: ignore[attr-defined]
    assert len(learner.replay) == filled > 0
    assert all(o.state_dict()["state"] for o in learner._named_optimizers.values())
    run.close()


@pytest.mark.parametrize("killed_after", [2, 3, 4])
def test_a_trial_killed_before_at_or_after_a_hand_over_goes_on_with_the_same_numbers(
    tmp_path: Path, killed_after: int
) -> None:
    trial = trial_of(_experiment(), "narrow", "transfer", 0)
    reference = _finish(TrialRun(trial, TrialFolder(tmp_path / "reference")))
    folder = TrialFolder(tmp_path / "killed")
    killed = TrialRun(trial, folder)
    for _ in range(killed_after):
        killed.advance()

    rows = _finish(TrialRun(trial, folder))

    assert rows == reference == _untimed(folder.rows())
    assert [row["stage"] for row in rows] == ["pretrain"] * 3 + ["finetune"] * 2
    assert [row["env_steps"] for row in rows] == [20, 40, 60, 80, 100]
    assert [row["stage_env_steps"] for row in rows] == [20, 40, 60, 20, 40]
    assert folder.status() == {"state": "done", "env_steps": 100}


def test_networks_that_do_not_fit_end_the_trial_with_one_line(tmp_path: Path) -> None:
    stages = {**DATA["stages"], "finetune": {"config": {"hidden_sizes": [9]}}}
    run = TrialRun(
        trial_of(_experiment(stages=stages), "narrow", "transfer", 0), TrialFolder(tmp_path)
    )
    for _ in range(3):
        run.advance()
    with pytest.raises(UserError, match=r"^stages\.finetune: the networks .* do not fit") as raised:
        run.advance()
    assert "\n" not in str(raised.value)
    run.close()


def test_metrics_are_those_of_the_last_stage_unless_they_name_another(tmp_path: Path) -> None:
    experiment = _experiment(tasks={"narrow": {"width": 2.0}})
    folder = open_run(tmp_path, experiment, name="run", resume=False, kind="")
    for trial in trials_of(experiment):
        _finish(TrialRun(trial, folder.trial(trial.id)))
    run = results.read(folder.path)

    steps = scores.curves(run, experiment.metrics["steps"])
    pretraining = scores.curves(run, experiment.metrics["trained"])

    assert load_resolved(folder.spec) == experiment
    by_variant = {v: c["env_steps"].tolist() for v, c in steps.groupby("variant")}
    assert by_variant == {"transfer": [20, 40], "scratch": [20, 40]}
    assert pretraining["variant"].unique().tolist() == ["transfer"]
    assert pretraining["env_steps"].tolist() == [20, 40, 60]
    rows = folder.trial("narrow/transfer/seed_0").rows()
    assert Objective("env_steps", "max", True, "pretrain").of(rows) == 60


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (
            {"variants": {"a": {"algorithm": "sac", "start": "finetun"}}},
            "unknown stage 'finetun'.*finetune",
        ),
        (
            {"metrics": {"a": {"key": "updates", "stage": "pre"}}},
            "stage: unknown stage 'pre'",
        ),
        (
            {"stages": {}, "variants": {"a": {"algorithm": "sac", "start": "finetune"}}},
            "the experiment has no 'stages'",
        ),
        ({"stages": {"a": {"config": {"taau": 1}}}}, r"taau.*tau"),
        ({"stages": {"a": {"env_config": {"wdth": 1}}}}, r"wdth.*width"),
        ({"stages": {"a": {"env": "expedition/PointRum-v0"}}}, r"PointRum.*PointRun"),
        ({"stages": {"a": {"config": {"tau": 7.0}}}}, r"stages.*tau.*7"),
        ({"stages": {"a": {"keep": ["critic"]}}}, "critic"),
    ],
)
def test_wrong_stages_are_refused_in_one_line(changes: dict[str, Any], message: str) -> None:
    metrics = {"metrics": {"tuned": {"key": "train/return_mean"}}}
    variants = {"variants": {"transfer": {"algorithm": "sac"}}}
    with pytest.raises(UserError, match=message) as raised:
        _experiment(**{**metrics, **variants, **changes})
    assert "\n" not in str(raised.value)
