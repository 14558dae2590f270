"""Actors that are dead for certain: ``ray.kill`` returns before they are."""

from typing import Any

import ray
from ray.exceptions import RayActorError


def kill(host: Any) -> None:
    """Kill an actor of a pool and wait until Ray knows."""
    ray.kill(host)
    while True:
        try:
            ray.get(host.ping.remote())
        except RayActorError:
            return
