"""Which cluster is meant, and one line for each way in which it cannot be used."""

from __future__ import annotations

import os
import socket
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest

from expedition.cluster import state
from expedition.cluster.dashboard import Dashboard, connect
from expedition.cluster.state import Cluster, Node
from expedition.platform.errors import UserError


def _cluster(address: str) -> Cluster:
    return Cluster("k", "b", address, "", "", Path("/nowhere"), (Node("node-0", 1),))


class _Server(BaseHTTPRequestHandler):
    """Answers like the web server of something else, or of another Ray."""

    answers = {"/api/version": (404, b"")}  # noqa: RUF012

    def do_GET(self) -> None:
        status, body = self.answers[self.path]
        self.send_response(status)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Stay quiet."""


@pytest.fixture
def server() -> Iterator[str]:
    """Address of a web server."""
    web = HTTPServer(("127.0.0.1", 0), _Server)
    thread = threading.Thread(target=lambda: web.serve_forever(0.01), daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{web.server_port}"
    web.shutdown()
    web.server_close()


def test_without_a_cluster_one_line_says_how_to_get_one() -> None:
    with pytest.raises(UserError, match="expedition cluster up, or name one with --address"):
        connect(None)
    with pytest.raises(UserError, match="--address ray://x:10001: jobs go to the dashboard"):
        connect("ray://x:10001")


def test_the_named_cluster_goes_before_the_environment_before_the_local_one(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    state.folder().mkdir(parents=True)
    state.save(_cluster("http://127.0.0.1:1"))
    state.make_token()
    assert connect(None).address == "http://127.0.0.1:1"
    assert connect(None).local
    monkeypatch.setenv("RAY_API_SERVER_ADDRESS", "http://lab:8265/")
    assert connect(None).address == "http://lab:8265"
    assert connect("https://other").address == "https://other"
    assert not connect("https://other").local


def test_the_local_token_is_private_new_each_time_and_never_shown() -> None:
    state.folder().mkdir(parents=True)
    state.save(_cluster("http://127.0.0.1:1"))
    first = state.make_token().read_text()
    second = state.make_token().read_text()
    assert len(first) == 64
    assert first != second
    assert os.stat(state.token_file()).st_mode & 0o777 == 0o600
    found = connect(None)
    assert found.headers == {"Authorization": f"Bearer {second}"}
    assert second not in repr(found)
    state.forget()
    assert not state.token_file().exists()


def test_tokens_of_other_clusters_come_from_where_ray_looks(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    assert connect("http://lab:1").headers == {}
    (tmp_path / ".ray").mkdir()
    (tmp_path / ".ray/auth_token").write_text("home\n")
    assert connect("http://lab:1").token == "home"
    monkeypatch.setenv("RAY_AUTH_TOKEN_PATH", str(tmp_path / "named"))
    with pytest.raises(UserError, match=r"there is no token in .*named"):
        connect("http://lab:1")
    (tmp_path / "named").write_text("named")
    assert connect("http://lab:1").token == "named"
    monkeypatch.setenv("RAY_AUTH_TOKEN", "given")
    assert connect("http://lab:1").token == "given"


def test_an_address_where_nobody_listens_is_one_line() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        address = f"http://127.0.0.1:{taken.getsockname()[1]}"
        with pytest.raises(UserError, match=f"no Ray cluster at --address {address}: Connection"):
            Dashboard(address).require_ray()
        with pytest.raises(UserError, match=r"local cluster .* clear it away with expedition clus"):
            Dashboard(address, local=True).require_ray()
    with pytest.raises(UserError, match=r"no Ray cluster at --address http://nowhere\.invalid:1"):
        Dashboard("http://nowhere.invalid:1").require_ray()


def test_an_address_that_is_none_is_one_line() -> None:
    for address in ("http://head:abc", "http://a b:8265", "http://[::1"):
        with pytest.raises(UserError, match=r"^(no Ray|what answers at|--address).*(head|a b|::1)"):
            connect(address).require_ray()


@pytest.mark.parametrize(
    ("answer", "message"),
    [
        ((404, b""), "is not a Ray cluster"),
        ((200, b"<html>"), "is not a Ray cluster"),
        ((200, b'{"version": 1}'), "is not a Ray cluster"),
        ((200, b'{"ray_version": "2.9.3"}'), "runs Ray 2.9.3, this is 2.60"),
        ((401, b""), "wants a token: name its file in RAY_AUTH_TOKEN_PATH"),
        ((403, b""), "refuses the token of somewhere"),
        ((500, b""), "answers 500"),
    ],
)
def test_what_answers_must_be_this_ray(
    server: str, answer: tuple[int, bytes], message: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(_Server.answers, "/api/version", answer)
    with pytest.raises(UserError, match=message):
        Dashboard(server, "secret", "somewhere").require_ray()
