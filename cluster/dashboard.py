"""A cluster's dashboard: the one HTTP address through which jobs and nodes are reached."""

from __future__ import annotations

import http.client
import json
import os
import urllib.error
import urllib.request
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from expedition.cluster import state
from expedition.platform.errors import UserError

if TYPE_CHECKING:
    from ray.job_submission import JobSubmissionClient

ADDRESS_VARIABLE = "RAY_API_SERVER_ADDRESS"  # Ray's own name for it
_TIMEOUT_S = 10.0
_MANY = 10_000  # nodes that are listed; Ray lists a hundred unless told
_DEFAULT_TOKEN = "~/.ray/auth_token"


@dataclass(frozen=True)
class Dashboard:
    """An address and the token that opens it.

    Attributes:
        address: ``http://host:port``.
        token: Token, if there is any.
        token_source: Where the token comes from, for messages; never the token itself.
        local: Whether it is the cluster that ``expedition cluster up`` started here.
    """

    address: str
    token: str | None = field(repr=False, default=None)
    token_source: str = ""
    local: bool = False

    @property
    def headers(self) -> dict[str, str]:
        """HTTP headers of every request."""
        return {"Authorization": f"Bearer {self.token}"} if self.token else {}

    def get(self, path: str) -> Any:
        """Get a JSON document.

        Args:
            path: Begins with a slash.

        Raises:
            UserError: Nobody answers, it is not Ray, or the token is wrong.
        """
        try:
            return json.loads(self._read(path))
        except urllib.error.HTTPError as error:
            raise self.refusal(error.code, error.reason) from error
        except ValueError as error:
            raise UserError(f"what answers at {self.address} is not a Ray cluster") from error

    def has(self, path: str) -> bool:
        """Whether something is there.

        Raises:
            UserError: Nobody answers, or the token is wrong.
        """
        try:
            self._read(path)
        except urllib.error.HTTPError as error:
            if error.code == 404:
                return False
            raise self.refusal(error.code, error.reason) from error
        return True

    def _read(self, path: str) -> bytes:
        request = urllib.request.Request(f"{self.address}{path}", headers=self.headers)
        # Nothing may stand between: a proxy meant for the web would be asked for 127.0.0.1.
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        try:
            with opener.open(request, timeout=_TIMEOUT_S) as answer:
                return bytes(answer.read())
        except urllib.error.HTTPError:
            raise
        except (OSError, ValueError, http.client.HTTPException) as error:
            raise self.unreachable(error) from error

    def refusal(self, code: int, reason: str) -> UserError:
        """Explain an HTTP status that is not success."""
        if code == 401:
            return UserError(
                f"the cluster at {self.address} wants a token: name its file in RAY_AUTH_TOKEN_PATH"
            )
        if code == 403:
            return UserError(f"the cluster at {self.address} refuses the token of {self._source}")
        if code == 404:
            return UserError(f"what answers at {self.address} is not a Ray cluster")
        return UserError(f"the cluster at {self.address} answers {code} {reason}")

    @property
    def _source(self) -> str:
        return self.token_source or "nobody"

    def unreachable(self, error: Exception) -> UserError:
        """Explain why nobody answered."""
        cause = getattr(error, "reason", error)
        why = getattr(cause, "strerror", None) or str(cause) or type(cause).__name__
        if self.local:
            return UserError(
                f"the local cluster at {self.address} does not answer ({why}):"
                " clear it away with expedition cluster down"
            )
        return UserError(f"no Ray cluster at --address {self.address}: {why}")

    def require_ray(self) -> None:
        """Make sure that a Ray of this version answers and takes the token.

        Raises:
            UserError: It does not.
        """
        import ray

        answer = self.get("/api/version")
        theirs = answer.get("ray_version") if isinstance(answer, Mapping) else None
        if theirs is None:
            raise UserError(f"what answers at {self.address} is not a Ray cluster")
        if theirs.split(".")[:2] != ray.__version__.split(".")[:2]:
            raise UserError(
                f"the cluster at {self.address} runs Ray {theirs}, this is {ray.__version__}:"
                " trials need the same release"
            )

    def nodes(self) -> list[dict[str, Any]]:
        """List the nodes, dead ones among them.

        Returns:
            ``node_name``, ``state`` (``ALIVE`` or ``DEAD``), ``resources_total`` and more of each.
        """
        answer = self.get(f"/api/v0/nodes?detail=1&limit={_MANY}")
        return list(answer["data"]["result"]["result"])

    def jobs(self) -> JobSubmissionClient:
        """Give Ray's client of jobs, which `require_ray` should precede."""
        import logging

        from ray.job_submission import JobSubmissionClient

        # Its package logger announces every upload; what is sent is printed already.
        logging.getLogger("ray.dashboard.modules.dashboard_sdk").setLevel(logging.ERROR)
        logging.getLogger("ray.dashboard.modules.job.sdk").setLevel(logging.ERROR)
        return JobSubmissionClient(self.address, headers=self.headers)


def connect(address: str | None) -> Dashboard:
    """Choose the cluster: the one named, that of ``RAY_API_SERVER_ADDRESS``, or the local one.

    Args:
        address: ``http://host:port``.

    Returns:
        The dashboard; whether it answers is not known yet.

    Raises:
        UserError: No cluster is named and there is no local one, or the address is not HTTP.
    """
    local = state.load()
    chosen = address or os.environ.get(ADDRESS_VARIABLE) or (local.address if local else None)
    if chosen is None:
        raise UserError(
            "no cluster: start one with expedition cluster up, or name one with --address"
            " http://head:8265"
        )
    chosen = chosen.rstrip("/")
    if not chosen.startswith(("http://", "https://")):
        raise UserError(f"--address {chosen}: jobs go to the dashboard, e.g. http://head:8265")
    if local is not None and chosen == local.address:
        file = state.token_file()
        return Dashboard(chosen, read_token(file), str(file), local=True)
    return Dashboard(chosen, *_token_of_environment())


def read_token(file: Path) -> str | None:
    """Read a token; ``None`` when there is none.

    Raises:
        UserError: The file is there and cannot be read.
    """
    try:
        return file.read_text(encoding="ascii").strip() or None
    except FileNotFoundError:
        return None
    except (OSError, ValueError) as error:
        raise UserError(f"cannot read the token in {file}: {error}") from error


def _token_of_environment() -> tuple[str | None, str]:
    """Find the token where Ray itself looks for it."""
    if token := os.environ.get("RAY_AUTH_TOKEN"):
        return token, "RAY_AUTH_TOKEN"
    if named := os.environ.get("RAY_AUTH_TOKEN_PATH"):
        token = read_token(Path(named))
        if token is None:
            raise UserError(f"there is no token in {named}, which RAY_AUTH_TOKEN_PATH names")
        return token, named
    file = Path(_DEFAULT_TOKEN).expanduser()
    token = read_token(file)
    return token, str(file) if token else ""
