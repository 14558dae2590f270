from __future__ import annotations

import json
from pathlib import Path

import imageio.v3 as imageio
import numpy as np
import pytest

from expedition.algorithms.core.rollout import Episode
from expedition.platform import evaluation
from expedition.platform.cli import app
from expedition.platform.plan import Trial
from expedition.platform.store import TrialFolder
from expedition.platform.trial_run import TrialRun

NAVIGATION = Trial(
    experiment="test/navigation", task="default", variant="random", seed=0, algorithm="random",
    env="expedition/Navigation-v0", env_config={"halls": 3}, config={"iteration_steps": 200},
    budget=200, resources={"cpus": 1, "gpus": 0}, checkpoint_every=1,
)  # fmt: skip


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory, ray_of_two: None) -> Path:
    """A trial of the random policy in the halls."""
    path = tmp_path_factory.mktemp("trial")
    run = TrialRun(NAVIGATION, TrialFolder(path))
    run.advance()
    run.close()
    return path


def test_evaluate_measures_return_length_and_coverage(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert app.run(["evaluate", str(folder), "--episodes", "3", "--explore", "--json"]) == 0
    first = json.loads(capsys.readouterr().out)
    assert app.run(["evaluate", str(folder), "--episodes", "3", "--explore", "--json"]) == 0
    again = json.loads(capsys.readouterr().out)

    assert (first["method"], first["episodes"], first["env_steps"]) == ("random", 3, 200)
    assert first["length"] == {"mean": 100.0, "std": 0.0, "min": 100.0, "max": 100.0}
    assert first["return"]["min"] <= first["return"]["mean"] <= first["return"]["max"]
    assert 0 <= first["coverage"]["halls_visited"] <= 1
    assert first == again


def test_evaluate_prints_a_table(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert app.run(["evaluate", str(folder / "checkpoints" / "000001"), "--episodes", "1"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "random on expedition/Navigation-v0 after 200 env steps, 1 episodes"
    assert [line.split()[0] for line in lines[1:3]] == ["return", "length"]


@pytest.mark.parametrize("suffix", ["mp4", "png"])
def test_render_films_an_episode(folder: Path, tmp_path: Path, suffix: str) -> None:
    out = tmp_path / f"film.{suffix}"
    assert app.run(["render", str(folder), "--out", str(out)]) == 0
    image = imageio.imread(out, plugin="FFMPEG" if suffix == "mp4" else None)
    if suffix == "mp4":
        assert len(image) == 101
    assert image.std() > 0


def test_wrong_checkpoints_are_one_line(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    def line(*arguments: str) -> str:
        assert app.run(list(arguments)) == 2
        said = capsys.readouterr().err.strip()
        assert "\n" not in said
        return said

    assert "no checkpoint at" in line("evaluate", str(tmp_path / "nowhere"))
    assert "is not a checkpoint" in line("evaluate", str(tmp_path))
    assert "is of method 'random', not of 'sac'" in line("evaluate", str(folder), "--method", "sac")
    assert "must end in" in line("render", str(folder), "--out", "film.avi")


def test_coverage_counts_the_states_reached() -> None:
    observations = np.zeros((5, 2))
    observations[:, 0] = [0, 1, 2, 3, 4]
    episode = Episode(observations, np.zeros((4, 2)), np.zeros(4))
    found = evaluation.coverage(NAVIGATION, [episode])
    assert found["max_radius"] == 4.0


def test_a_summary_is_mean_deviation_and_range() -> None:
    assert evaluation.summary([1.0, 3.0]) == {"mean": 2.0, "std": 1.0, "min": 1.0, "max": 3.0}
