"""What is remembered of a local cluster: one small file, written before anything is started."""

from __future__ import annotations

import fcntl
import os
import secrets
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from expedition.platform.errors import UserError
from expedition.platform.places import HOME_VARIABLE as HOME_VARIABLE
from expedition.platform.places import home
from expedition.platform.store import read_json, write_json

_BOOT_ID = Path("/proc/sys/kernel/random/boot_id")


@dataclass(frozen=True)
class Node:
    """A node of a local cluster.

    Attributes:
        name: ``node-0`` is the head.
        cpus: CPUs it offers.
        session: Session id (as in ``getsid``) of its processes; 0 before it is started.
    """

    name: str
    cpus: int
    session: int = 0


@dataclass(frozen=True)
class Cluster:
    """A local cluster.

    Attributes:
        key: Value of `processes.MARKER` in the environment of its processes.
        boot: The start of the system during which it runs; its processes did not outlive that.
        address: Of its dashboard and jobs, ``http://127.0.0.1:...``.
        gcs: Of its head for drivers on this machine, ``127.0.0.1:...``.
        client: Of its head for Ray clients, ``ray://127.0.0.1:...``.
        scratch: Folder of Ray's sockets and logs. Under the system's temporary folder, for the
            path of a socket must not be long.
        nodes: Its nodes, the head first.
    """

    key: str
    boot: str
    address: str
    gcs: str
    client: str
    scratch: Path
    nodes: tuple[Node, ...]

    @property
    def sessions(self) -> frozenset[int]:
        """Session ids of the nodes that were started."""
        return frozenset(node.session for node in self.nodes if node.session)

    @property
    def cpus(self) -> int:
        """CPUs of all nodes."""
        return sum(node.cpus for node in self.nodes)

    def started(self, name: str, session: int) -> Cluster:
        """Give the cluster with a node's session noted."""
        nodes = [replace(n, session=session) if n.name == name else n for n in self.nodes]
        return replace(self, nodes=tuple(nodes))


def folder() -> Path:
    """Folder of the local cluster's state and token."""
    return home() / "cluster"


def state_file() -> Path:
    """File of the local cluster's state; it is there from before its start until after its end."""
    return folder() / "cluster.json"


def token_file() -> Path:
    """File of the local cluster's token, which nobody else can read."""
    return folder() / "token"


def boot_id() -> str:
    """Identify the start of the system; empty where it cannot be told."""
    try:
        return _BOOT_ID.read_text(encoding="ascii").strip()
    except OSError:
        return ""


def load() -> Cluster | None:
    """Read the state of the local cluster; ``None`` when there is none.

    Raises:
        UserError: The file is damaged.
    """
    content = read_json(state_file())
    return _parse(content) if content else None


def _parse(content: dict[str, Any]) -> Cluster:
    try:
        nodes = tuple(Node(**node) for node in content["nodes"])
        return Cluster(**{**content, "scratch": Path(content["scratch"]), "nodes": nodes})
    except (KeyError, TypeError) as error:
        raise UserError(f"{state_file()} is not the state of a cluster: {error}") from error


def save(cluster: Cluster) -> None:
    """Write the state of the local cluster."""
    write_json(state_file(), asdict(cluster))


def forget() -> None:
    """Remove state and token."""
    state_file().unlink(missing_ok=True)
    token_file().unlink(missing_ok=True)


def make_token() -> Path:
    """Make a new token for a cluster, readable by this user alone.

    Returns:
        Its file.
    """
    file = token_file()
    file.unlink(missing_ok=True)
    descriptor = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w", encoding="ascii") as stream:
        stream.write(secrets.token_hex(32))
    return file


@contextmanager
def exclusively() -> Iterator[None]:
    """Keep others from starting or ending the local cluster for as long as the block runs.

    Raises:
        UserError: Somebody is just doing so.
    """
    folder().mkdir(parents=True, exist_ok=True, mode=0o700)
    with (folder() / ".lock").open("a") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise UserError("another command is starting or ending the local cluster") from error
        yield


def plan_nodes(count: int | None, cpus: Sequence[int]) -> tuple[Node, ...]:
    """Turn ``--nodes`` and ``--cpus`` into nodes.

    Args:
        count: Number of nodes; as many as ``cpus`` when not given.
        cpus: CPUs of each node, or one number for all.

    Raises:
        UserError: The two do not fit together.
    """
    count = count or len(cpus)
    each = list(cpus) * count if len(cpus) == 1 else list(cpus)
    if len(each) != count:
        raise UserError(f"--cpus names {len(each)} nodes and --nodes {count}")
    if min(each) < 0 or sum(each) == 0:
        raise UserError("--cpus must not be negative, and some node needs a CPU")
    return tuple(Node(f"node-{index}", amount) for index, amount in enumerate(each))
