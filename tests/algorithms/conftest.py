"""Fixtures for tests of the algorithms."""

from collections.abc import Iterator

import pytest
import ray
import torch
from built import stop_all


@pytest.fixture(autouse=True, scope="session")
def one_thread() -> None:
    """The networks are tiny: threads would only wait for each other."""
    torch.set_num_threads(1)


@pytest.fixture(scope="module")
def small_ray() -> Iterator[None]:
    """Ray with two CPUs for one module."""
    ray.init(num_cpus=2, include_dashboard=False, log_to_driver=False, logging_level="ERROR")
    yield
    ray.shutdown()


@pytest.fixture(autouse=True)
def stop_what_was_built() -> Iterator[None]:
    """Stop the algorithms that the test kept (``built.keep``)."""
    yield
    stop_all()
