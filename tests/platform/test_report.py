"""The report: complete, self-contained, and made from any state of a run."""

from __future__ import annotations

import html
import json
import re
import shutil
from pathlib import Path

import numpy as np
import pytest
from synthetic import experiment, write_run, write_trial

from expedition.platform import report, results, tables
from expedition.platform.plan import trial_of


@pytest.fixture(scope="module")
def page(tmp_path_factory) -> str:
    path = write_run(tmp_path_factory.mktemp("r") / "run")
    return report.build(path).read_text(encoding="utf-8")


def text_of(page: str) -> str:
    """Return the visible text with single spaces."""
    body = re.sub(r"<style>.*?</style>", "", page, flags=re.S)
    return " ".join(html.unescape(re.sub(r"<[^>]+>", " ", body)).split())


def test_report_needs_no_network(page: str) -> None:
    assert not re.search(r"(src|href)=\"(?!#|data:)", page)
    assert "<script" not in page
    assert page.count("data:image/svg+xml;base64,") == 3


def test_report_says_what_was_found(page: str) -> None:
    text = text_of(page)
    assert "Halls explored against the number of halls" in text
    assert "2 claims confirmed 1 claim contradicted 0 claims inconclusive" in text
    assert "SMM about 60 %, SAC rarely above 20 %" in text
    assert re.search(r"SMM - SAC = 0\.\d{3} \[0\.\d{3}, 0\.\d{3}\], claimed > 0", text)
    assert "32 / 32 trials finished" in text
    assert "num_skills default 1 3" in text  # what differs between the variants
    assert "a processor" in text
    assert "0123456789abcdef" in text
    assert "expedition run smm/synthetic --preset quick" in text


def test_report_folder_holds_figures_and_table(tmp_path: Path) -> None:
    path = write_run(tmp_path / "run", experiment(seeds=1))
    assert report.build(path) == path / "report" / "index.html"
    assert len(list((path / "report/figures").glob("*.png"))) == 3
    assert len(list((path / "report/figures").glob("*.svg"))) == 3
    assert (path / "results.parquet").is_file()


def test_report_of_an_unfinished_run_names_failures(tmp_path: Path) -> None:
    path = write_run(tmp_path / "run", experiment(seeds=3))
    error = {"type": "NonFiniteLossError", "message": "q_loss is nan <at> step 7000"}
    status = path / "trials/halls-5/smm/seed_2/status.json"
    status.write_text(json.dumps({"state": "failed", "error": error}))
    shutil.rmtree(path / "trials/halls-3/sac/seed_1")
    (path / "manifest.json").unlink()
    page = report.build(path).read_text(encoding="utf-8")
    text = text_of(page)
    assert "2 of 24 trials are not in the scores: 1 failed, 1 waiting" in text
    assert "q_loss is nan &lt;at&gt; step 7000" in page
    assert "The run has no manifest" in text


def test_report_of_a_run_that_has_just_begun(tmp_path: Path) -> None:
    path = write_run(tmp_path / "run", experiment(seeds=1))
    shutil.rmtree(path / "trials")
    text = text_of(report.build(path).read_text(encoding="utf-8"))
    assert "0 / 8 trials finished" in text
    assert "No finished trial has measured coverage/halls_window" in text
    assert "3 claims inconclusive" in text


def test_report_of_a_sweep_ranks_its_points(tmp_path: Path) -> None:
    declared = experiment(seeds=1, tasks={"halls-3": {"halls": 3}}, claims=[])
    path = write_run(tmp_path / "run", declared)
    shutil.rmtree(path / "trials")
    for alpha, level in ((0.1, 0.3), (0.5, 0.8)):
        trial = trial_of(declared, "halls-3", "smm", 0).at({"alpha": alpha})
        write_trial(path, trial, level, np.random.default_rng(0))
    points = tables.sweep_points(results.read(path))
    assert [values["alpha"] for values in points["values"]] == [0.5, 0.1]
    text = text_of(report.build(path).read_text(encoding="utf-8"))
    assert text.index("alpha = 0.5") < text.index("alpha = 0.1")


def test_settings_are_split_into_common_and_differing() -> None:
    declared = experiment()
    differing, by_variant = tables.differing_settings(declared)
    assert differing == ["num_skills"]
    assert by_variant["sm4"]["num_skills"] == 3
    assert "num_skills" not in by_variant["sac"]
    assert "random" not in by_variant  # a reference is not compared
    assert tables.common_settings(declared) == {"alpha": 1.0, "hidden_sizes": [128, 128]}


@pytest.mark.parametrize(
    ("seconds", "text"), [(12.4, "12 s"), (200, "3 min 20 s"), (3725, "1 h 02 min")]
)
def test_durations(seconds: float, text: str) -> None:
    assert tables.duration(seconds) == text


@pytest.mark.parametrize(
    ("value", "text"), [(0.12345, "0.123"), (20000, "20,000"), (1234567.0, "1,234,567"), (0, "0")]
)
def test_numbers(value: float, text: str) -> None:
    assert tables.number(value) == text
