"""A small run folder with made-up curves, as the launcher would write it."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from expedition.platform import spec
from expedition.platform.plan import Trial, trials_of
from expedition.platform.spec import Experiment
from expedition.platform.store import DONE, RunFolder, write_json

LEVELS = {"sac": 0.25, "smm": 0.6, "sm4": 0.75, "random": 0.5}
ITERATIONS = 20
ITERATION_SECONDS = 2.0

DATA: dict[str, Any] = {
    "name": "smm/synthetic",
    "preset": "quick",
    "paper": "smm",
    "figure": "Fig. 2c",
    "title": "Halls explored against the number of halls",
    "description": "Made-up curves for the tests of the report.",
    "env": "expedition/Navigation-v0",
    "env_config": {"hall_length": 10},
    "tasks": {"halls-3": {"halls": 3}, "halls-5": {"halls": 5}},
    "config": {"alpha": 1.0, "hidden_sizes": [128, 128]},
    "variants": {
        "sac": {"algorithm": "sac", "label": "SAC"},
        "smm": {"algorithm": "smm", "label": "SMM", "config": {"num_skills": 1}},
        "sm4": {"algorithm": "smm", "label": "SM4 (N=3)", "config": {"num_skills": 3}},
        "random": {"algorithm": "random", "label": "random policy", "reference": True},
    },
    "seeds": 4,
    "budget": 20000,
    "metrics": {
        "halls": {
            "key": "coverage/halls_window",
            "label": "halls explored (fraction)",
            "statistic": "last_half_mean",
        },
        "return": {"key": "train/return_mean", "label": "return an episode"},
    },
    "plots": [
        {"kind": "curves", "metric": "halls"},
        {"kind": "bars", "metric": "halls", "by": "task"},
        {"kind": "heatmap", "array": "train/visits", "log": True},
    ],
    "claims": [
        {
            "id": "smm-beats-sac",
            "says": "SMM explores more halls than SAC",
            "kind": "order",
            "metric": "halls",
            "variants": ["smm", "sac"],
            "paper": "SMM about 60 %, SAC rarely above 20 %",
            "paper_values": {"smm": 0.6, "sac": 0.2},
        },
        {
            "id": "sac-stays",
            "says": "SAC rarely explores more than a fifth of the halls",
            "kind": "at_most",
            "metric": "halls",
            "variant": "sac",
            "value": 0.2,
        },
        {
            "id": "sm4-beats-smm",
            "says": "SM4 explores more halls than SMM",
            "kind": "order",
            "metric": "halls",
            "variants": ["sm4", "smm"],
        },
    ],
}


def experiment(**changes: Any) -> Experiment:
    """Build the experiment with some keys replaced."""
    return spec.build({**DATA, **changes}, ".".join)


def write_run(
    path: Path,
    declared: Experiment | None = None,
    *,
    levels: Mapping[str, float] = LEVELS,
    noise: float = 0.04,
    manifest: Mapping[str, Any] | None = None,
) -> Path:
    """Write a finished run whose variants level off at ``levels``, seeds ``noise`` apart."""
    declared = declared or experiment()
    path.mkdir(parents=True, exist_ok=True)
    (path / "spec.yaml").write_text(spec.to_yaml(declared))
    write_json(path / "manifest.json", manifest or _manifest())
    for number, trial in enumerate(trials_of(declared)):
        rng = np.random.default_rng(number)
        write_trial(path, trial, levels.get(trial.variant, 0.5), rng, noise)
    return path


def write_trial(
    path: Path, trial: Trial, level: float, rng: np.random.Generator, noise: float = 0.04
) -> Path:
    """Write one finished trial and return its folder."""
    folder = RunFolder(path).trial(trial.id)
    folder.write_trial(trial.to_dict())
    own = level + noise * rng.standard_normal()
    for iteration in range(1, ITERATIONS + 1):
        share = iteration / ITERATIONS
        halls = own * (1 - np.exp(-5 * share)) + noise / 2 * rng.standard_normal()
        folder.append_row(
            {
                "iteration": iteration,
                "env_steps": round(trial.budget * share),
                "coverage/halls_window": float(np.clip(halls, 0, 1)),
                "train/return_mean": 10 * share * level,
                "time/seconds": ITERATION_SECONDS * iteration,
            }
        )
    folder.write_coverage(_visits(trial, level, rng))
    folder.set_status(DONE, trial.budget)
    return folder.path


def _visits(trial: Trial, level: float, rng: np.random.Generator) -> dict[str, np.ndarray]:
    """Scatter states along as many halls as the level says; cells outside the halls stay empty."""
    halls = int(trial.env_config.get("halls", 3))
    angles = 2 * np.pi * rng.integers(max(1, round(level * halls)), size=4000) / halls
    radius, across = 12 * rng.random(4000) ** 0.8, 0.25 * rng.standard_normal(4000).clip(-1, 1)
    x = radius * np.cos(angles) - across * np.sin(angles)
    y = radius * np.sin(angles) + across * np.cos(angles)
    edges = np.linspace(-13, 13, 53)
    visits, _, _ = np.histogram2d(x, y, bins=[edges, edges])
    return {"train/visits": visits, "train/x_edges": edges, "train/y_edges": edges}


def _manifest() -> dict[str, Any]:
    command = ["expedition", "run", "smm/synthetic", "--preset", "quick"]
    return {
        "name": "synthetic",
        "command": command,
        "preset": "quick",
        "status": "finished",
        "start_time": "2026-01-02T03:04:05+00:00",
        "end_time": "2026-01-02T03:24:05+00:00",
        "python": "3.11.9",
        "packages": {"expedition": "0.1.0", "ray": "2.60.0", "torch": "2.13.0", "mujoco": None},
        "git": {"revision": "0123456789abcdef0123456789abcdef01234567", "dirty": False},
        "machine": {"cpu": "a processor", "cores": 2, "memory_gib": 8.0},
        "launches": [{"command": command, "start_time": "2026-01-02T03:04:05+00:00"}],
    }
