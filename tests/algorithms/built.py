"""Algorithms that a test has built, so that they are stopped when it ends, however it ends."""

from typing import Any

from ray.rllib.algorithms.algorithm import Algorithm

_BUILT: list[Algorithm] = []


def keep(algo: Any) -> Any:
    """Have an algorithm stopped at the end of the test; returns it."""
    _BUILT.append(algo)
    return algo


def stop_all() -> None:
    """Stop every algorithm that is kept."""
    while _BUILT:
        _BUILT.pop().stop()
