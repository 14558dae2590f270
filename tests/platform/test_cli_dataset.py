from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from expedition.algorithms.implicit_policy.imitation.trajectories import read_parquet
from expedition.platform.cli import app
from expedition.platform.plan import Trial
from expedition.platform.store import TrialFolder
from expedition.platform.trial_run import TrialRun

WALK = Trial(
    experiment="test/walk", task="default", variant="random", seed=0, algorithm="random",
    env="expedition/Imitation1D-v0", env_config={}, config={"iteration_steps": 50},
    budget=50, resources={"cpus": 1, "gpus": 0}, checkpoint_every=1,
)  # fmt: skip


def test_experts_and_checkpoints_are_pooled_in_a_file(
    tmp_path: Path, ray_of_two: None, capsys: pytest.CaptureFixture[str]
) -> None:
    run = TrialRun(WALK, TrialFolder(tmp_path / "trial"))
    run.advance()
    run.close()
    out = tmp_path / "new" / "walks.parquet"
    sources = ["imitation_1d", str(tmp_path / "trial")]
    assert app.run(["dataset", *sources, "--out", str(out), "--episodes", "3", "--json"]) == 0
    summary = json.loads(capsys.readouterr().out)
    found = read_parquet(out)
    assert (summary["episodes"], summary["steps"]) == (6, len(found.actions))
    assert summary["return_mean"] == pytest.approx(found.returns.mean())
    np.testing.assert_array_equal(np.abs(found.finals[:3]), 10.0)  # the expert arrives
    assert np.abs(found.actions[found.lengths[:3].sum() :]).max() > 0.9  # uniform actions

    assert app.run(["dataset", str(out), "imitation_1d", "--out", str(out), "--episodes", "2"]) == 0
    assert capsys.readouterr().out.startswith(f"{out}: 4 episodes, ")


def test_what_cannot_be_is_one_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert app.run(["dataset", "imitation_1d", "--out", str(tmp_path / "walks.csv")]) == 2
    assert "must end in .parquet" in capsys.readouterr().err
    out = str(tmp_path / "walks.parquet")
    assert app.run(["dataset", "imitation1d", "--out", out]) == 2
    assert "did you mean 'imitation_1d'" in capsys.readouterr().err
    assert (
        app.run(["dataset", "imitation_1d", "swimmer_forward", "--episodes", "1", "--out", out])
        == 2
    )
    assert "do not pool" in capsys.readouterr().err
