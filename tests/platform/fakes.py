"""A small experiment with the quick method of ``plugin/``."""

from __future__ import annotations

from typing import Any

from expedition.platform.spec import Experiment, build

FAKE: dict[str, Any] = {
    "name": "test/fake",
    "paper": "test",
    "figure": "Fig. 0",
    "title": "A fake method",
    "env": "CartPole-v1",
    "variants": {
        "low": {"algorithm": "fake", "config": {"gain": 0.5}},
        "high": {"algorithm": "fake", "config": {"gain": 1.0}},
    },
    "seeds": 1,
    "budget": 100,
    "checkpoint_every": 3,
    "metrics": {"return": {"key": "train/return_mean"}},
    "search": {"gain": {"uniform": [0.0, 2.0]}},
}


def fake_experiment(**changes: Any) -> Experiment:
    """An experiment with the fake method; 100 steps are 10 iterations."""
    return build({**FAKE, **changes}, ".".join)
