"""One small Ray session for all tests of the algorithms."""

from collections.abc import Iterator

import pytest
import ray
import torch


@pytest.fixture(scope="package", autouse=True)
def ray_session() -> Iterator[None]:
    ray.init(num_cpus=2, include_dashboard=False, log_to_driver=False, logging_level="ERROR")
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)
    ray.shutdown()
