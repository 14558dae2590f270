"""Sessions of Ray: how they end."""

from __future__ import annotations

import gc
import weakref

import pytest
import ray

from expedition.platform.session import ray_session


class _Cycle:
    """Refers to itself: only the collector frees it."""

    def __init__(self) -> None:
        self.me = self


def test_nothing_is_left_to_collect_while_ray_shuts_down(monkeypatch: pytest.MonkeyPatch) -> None:
    # Ray ends the process when a reference dies in another thread during its shutdown.
    found: list[tuple[bool, bool]] = []
    left = []
    monkeypatch.setattr(ray, "is_initialized", lambda: False)
    monkeypatch.setattr(ray, "init", lambda **_: left.append(weakref.ref(_Cycle())))
    monkeypatch.setattr(ray, "shutdown", lambda: found.append((gc.isenabled(), left[0]() is None)))
    with ray_session("127.0.0.1:1", debug=False):
        pass
    assert found == [(False, True)]
    assert gc.isenabled()
