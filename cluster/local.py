"""A real cluster of several nodes on this machine: started, looked at and cleared away."""

from __future__ import annotations

import os
import secrets
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from expedition.cluster import loopback, old_logs, processes, state
from expedition.cluster.dashboard import Dashboard, connect
from expedition.cluster.state import Cluster, Node
from expedition.platform.errors import UserError

_PREFIX = "expedition-cluster-"
_START_S = 120.0  # of one node
_READY_S = 60.0  # from the last node's start until all are known to the head
_POLL_S = 0.25
_MIB = 2**20
# What the head remembers of what has ended, by default 100,000 of each: hundreds of MiB.
BOUNDS: Mapping[str, str] = {
    "RAY_task_events_max_num_task_in_gcs": "2000",
    "RAY_maximum_gcs_destroyed_actor_cached_count": "1000",
    "RAY_maximum_gcs_dead_worker_cached_count": "1000",
    # Statistics of the services in their logs: every hour, not minute, which made 70 MiB a day of
    # a node. Never -1, "off": the head then writes them without a pause.
    "RAY_event_stats_print_interval_ms": "3600000",
    # Unpacked code of earlier jobs, by default 10 GB on each node.
    "RAY_RUNTIME_ENV_PY_MODULES_CACHE_SIZE_GB": "1",
}


@dataclass(frozen=True)
class NodeStatus:
    """How a node is.

    Attributes:
        name: Its name.
        cpus: CPUs it offers.
        state: ``alive``, ``dead`` or, when the head does not answer, ``unknown``.
        processes: How many processes of it run.
    """

    name: str
    cpus: int
    state: str
    processes: int


def up(
    nodes: Sequence[Node],
    *,
    object_store_mib: int,
    dashboard_port: int | None,
    kept_logs: int = old_logs.KEPT,
) -> Cluster:
    """Start a cluster, and leave nothing behind if that fails.

    Args:
        nodes: The nodes, the head first.
        object_store_mib: Shared memory of each node's object store, in MiB.
        dashboard_port: Port of the dashboard; any free one when not given.
        kept_logs: Log files of ended processes that stay on each node.

    Returns:
        The cluster, all of whose nodes are up.

    Raises:
        UserError: One is up already, or a node does not start.
    """
    with state.exclusively():
        earlier = state.load()
        if earlier is not None:
            if processes.members(earlier):
                raise UserError(
                    f"a cluster is up at {earlier.address}: end it with expedition cluster down"
                )
            _clear(earlier)  # of a machine that was switched off
        cluster = _plan(nodes, dashboard_port)
        try:
            cluster = _start(cluster, object_store_mib)
            old_logs.start(cluster.scratch, kept_logs, _environment_of_nodes(cluster))
            return cluster
        except BaseException:
            _clear(state.load() or cluster)
            raise


def down() -> Cluster | None:
    """End the local cluster, whatever state it is in.

    Returns:
        What was ended; ``None`` when there was nothing.

    Raises:
        UserError: Processes of it would not end.
    """
    with state.exclusively():
        cluster = state.load()
        if cluster is not None:
            _clear(cluster)
        return cluster


def status() -> tuple[Cluster, list[NodeStatus]]:
    """Look at the local cluster.

    Returns:
        The cluster and its nodes.

    Raises:
        UserError: There is none.
    """
    cluster = state.load()
    if cluster is None:
        raise UserError("no local cluster: start one with expedition cluster up")
    known = _known(connect(cluster.address))
    found = []
    for node in cluster.nodes:
        count = len(processes.node_members(cluster, node.name))
        seen = "unknown" if known is None else known.get(node.name, "dead")
        found.append(NodeStatus(node.name, node.cpus, seen if count else "dead", count))
    return cluster, found


def environment(cluster: Cluster) -> dict[str, str]:
    """Variables with which drivers on this machine, such as ``expedition run``, find the cluster.

    Returns:
        Names and values; the token is named by its file.
    """
    return {
        "RAY_ADDRESS": cluster.gcs,
        "RAY_API_SERVER_ADDRESS": cluster.address,
        "RAY_AUTH_MODE": "token",
        "RAY_AUTH_TOKEN_PATH": str(state.token_file()),
        loopback.FLAG: "0",
    }


def _known(dashboard: Dashboard) -> dict[str, str] | None:
    """Node name -> state as the head sees it; ``None`` when it does not answer."""
    try:
        return {node["node_name"]: node["state"].lower() for node in dashboard.nodes()}
    except UserError:
        return None


def _plan(nodes: Sequence[Node], dashboard_port: int | None) -> Cluster:
    """Choose ports and folder, make the token, and write all of it down."""
    gcs, client, dashboard = _free_ports(3)
    cluster = Cluster(
        key=secrets.token_hex(8),
        boot=state.boot_id(),
        address=f"http://{loopback.ADDRESS}:{dashboard_port or dashboard}",
        gcs=f"{loopback.ADDRESS}:{gcs}",
        client=f"ray://{loopback.ADDRESS}:{client}",
        scratch=Path(tempfile.mkdtemp(prefix=_PREFIX)),
        nodes=tuple(nodes),
    )
    state.save(cluster)
    state.make_token()
    return cluster


def _start(cluster: Cluster, object_store_mib: int) -> Cluster:
    """Start the head, then all workers at once."""
    memory = object_store_mib * _MIB
    head, *workers = cluster.nodes
    cluster = _start_nodes(cluster, [head], memory)
    cluster = _start_nodes(cluster, workers, memory)
    dashboard = connect(cluster.address)
    deadline = time.monotonic() + _READY_S
    while (known := _known(dashboard)) is None or len(known) < len(cluster.nodes):
        if time.monotonic() > deadline:
            raise UserError(f"the nodes did not come up: {_last_error(cluster)}")
        time.sleep(_POLL_S)
    return cluster


def _start_nodes(cluster: Cluster, nodes: Sequence[Node], memory: int) -> Cluster:
    started = []
    for node in nodes:
        log = (cluster.scratch / f"{node.name}.log").open("w", encoding="utf-8")
        process = subprocess.Popen(
            _command(cluster, node, memory),
            env=_environment_of_nodes(cluster),
            stdin=subprocess.DEVNULL, stdout=log, stderr=subprocess.STDOUT,
            start_new_session=True,
        )  # fmt: skip
        log.close()
        cluster = cluster.started(node.name, process.pid)
        state.save(cluster)
        started.append((node, process))
    for node, process in started:
        try:
            process.wait(_START_S)
        except subprocess.TimeoutExpired:
            process.kill()
        if process.returncode != 0:
            raise UserError(f"{node.name} does not start: {_tail(cluster, node)}")
    return cluster


def _command(cluster: Cluster, node: Node, memory: int) -> list[str]:
    """Give the command that starts a node."""
    host, _, gcs_port = cluster.gcs.rpartition(":")
    common = [
        sys.executable, "-m", "ray.scripts.scripts", "start",
        "--node-name", node.name,
        "--node-ip-address", host,
        "--num-cpus", str(node.cpus),
        "--object-store-memory", str(memory),
        # A folder each: nodes that start at the same time would choose the same socket.
        "--temp-dir", str(cluster.scratch / node.name),
        "--dashboard-agent-listen-port", "0",
        "--disable-usage-stats", "--log-style", "record", "--log-color", "false",
    ]  # fmt: skip
    if node.name != cluster.nodes[0].name:
        return [*common, "--address", cluster.gcs]
    return [
        *common, "--head",
        "--port", gcs_port,
        "--ray-client-server-port", cluster.client.rpartition(":")[2],
        "--include-dashboard", "true",
        "--dashboard-host", host,
        "--dashboard-port", cluster.address.rpartition(":")[2],
    ]  # fmt: skip


def _environment_of_nodes(cluster: Cluster) -> dict[str, str]:
    """What the nodes inherit; everything that runs on them inherits it from them."""
    inherited = {k: v for k, v in os.environ.items() if k not in ("RAY_ADDRESS", "RAY_AUTH_TOKEN")}
    # Ray calls `pip`, and jobs call `python`: those of the environment this runs in.
    path = os.pathsep.join([str(Path(sys.executable).parent), inherited.get("PATH", "")])
    return {
        **BOUNDS,
        **inherited,
        "PATH": path,
        processes.MARKER: cluster.key,
        loopback.FLAG: "1",
        "RAY_START_HOOK": loopback.HOOK,
        "RAY_AUTH_MODE": "token",
        "RAY_AUTH_TOKEN_PATH": str(state.token_file()),
        "RAY_USAGE_STATS_ENABLED": "0",
    }


def _clear(cluster: Cluster) -> None:
    """End every process of a cluster and remove what it left.

    Raises:
        UserError: Some would not end; the state is kept, so that it can be tried again.
    """
    left: list[int] = []
    for _ in range(3):  # a raylet that is being ended may just have started a worker
        found = processes.members(cluster)
        if not found:
            break
        left = processes.end(found)
    if left:
        raise UserError(f"processes of the cluster do not end: {', '.join(map(str, left))}")
    if cluster.scratch.name.startswith(_PREFIX):
        shutil.rmtree(cluster.scratch, ignore_errors=True)
    state.forget()


def _free_ports(count: int) -> list[int]:
    """Find ports on which nobody listens, all different."""
    sockets = [socket.socket() for _ in range(count)]
    try:
        for found in sockets:
            found.bind((loopback.ADDRESS, 0))
        return [int(found.getsockname()[1]) for found in sockets]
    finally:
        for found in sockets:
            found.close()


def _last_error(cluster: Cluster) -> str:
    return "; ".join(f"{node.name}: {_tail(cluster, node)}" for node in cluster.nodes)


def _tail(cluster: Cluster, node: Node) -> str:
    """Give the last line that a node's start printed."""
    text = (cluster.scratch / f"{node.name}.log").read_text(encoding="utf-8", errors="replace")
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    return lines[-1][:300] if lines else "it said nothing"
