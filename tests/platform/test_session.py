"""Sessions of Ray: how they end."""

from __future__ import annotations

import gc
import weakref

import pytest
import ray
from ray.exceptions import AuthenticationError

from expedition.platform.errors import UserError
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
    monkeypatch.setattr(ray, "init", lambda *_, **__: left.append(weakref.ref(_Cycle())))
    monkeypatch.setattr(ray, "shutdown", lambda: found.append((gc.isenabled(), left[0]() is None)))
    with ray_session("127.0.0.1:1", debug=False):
        pass
    assert found == [(False, True)]
    assert gc.isenabled()


def test_without_an_address_ray_is_this_machines_whatever_the_shell_knows_of_a_cluster(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    # RAY_ADDRESS would win over none, and Ray refuses to count CPUs of a cluster that is there.
    asked: list[object] = []
    monkeypatch.setattr(ray, "is_initialized", lambda: False)
    monkeypatch.setattr(ray, "init", lambda address, **_: asked.append(address))
    monkeypatch.setattr(ray, "shutdown", lambda: None)
    monkeypatch.setenv("RAY_ADDRESS", "127.0.0.1:1")
    with ray_session(None, debug=False):
        pass
    with ray_session("auto", debug=False):
        pass
    assert asked == ["local", "auto"]


@pytest.mark.parametrize("address", [None, "auto"])
def test_a_token_that_is_gone_is_one_line(
    address: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise AuthenticationError("RAY_AUTH_TOKEN_PATH is set but file is empty: x. Ensure that")

    monkeypatch.setattr(ray, "is_initialized", lambda: False)
    monkeypatch.setattr(ray, "init", refuse)
    with (
        pytest.raises(UserError, match="PATH is set but file is empty: x: name the token"),
        ray_session(address, debug=False),
    ):
        pass


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("Nobody is there\nwith details", "Nobody is there"),
        ("Initialization failure from server:\nTraceback\n  x\nKeyError: 'a'\n", "KeyError: 'a'"),
    ],
)
def test_why_there_is_no_cluster_is_one_line(
    text: str, reason: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise ConnectionAbortedError(text)

    monkeypatch.setattr(ray, "is_initialized", lambda: False)
    monkeypatch.setattr(ray, "init", refuse)
    with (
        pytest.raises(UserError, match=f"^no Ray cluster at --address ray://x: {reason}$"),
        ray_session("ray://x", debug=False),
    ):
        pass
