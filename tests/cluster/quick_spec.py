"""A small experiment with the quick method of the platform's tests, as a file."""

from __future__ import annotations

from pathlib import Path

import yaml

PLUGIN = Path(__file__).parents[1] / "platform" / "plugin"  # has the method "fake"
SPEC = {
    "paper": "test",
    "figure": "Fig. 0",
    "title": "A fake method",
    "env": "CartPole-v1",
    "variants": {"one": {"algorithm": "fake", "config": {"sleep_s": 0.0}}},
    "seeds": 1,
    "budget": 100,
    "checkpoint_every": 3,
    "metrics": {"return": {"key": "train/return_mean"}},
}


def write_spec(file: Path, **changes: object) -> Path:
    """Write an experiment of the quick method."""
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(yaml.safe_dump({**SPEC, **changes}, sort_keys=False), encoding="utf-8")
    return file
