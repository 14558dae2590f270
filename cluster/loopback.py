"""Keeps the nodes of a local cluster on the loopback interface.

Given ``--node-ip-address 127.0.0.1``, ``ray start`` on Linux takes the machine's outward address
instead and every server of the node listens on all interfaces. On macOS and Windows it stays on
the loopback, but refuses a second node. What is here has both: it runs inside ``ray start`` before
the node is made (Ray calls the function that ``RAY_START_HOOK`` names).
"""

from __future__ import annotations

import os
from typing import Any

ADDRESS = "127.0.0.1"
HOOK = "expedition.cluster.loopback.stay"
FLAG = "RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER"
"""``0`` makes a process of Ray take the loopback for this machine's address, as on macOS."""


def stay(ray_params: Any, head: bool) -> None:
    """Put the node that is being started, and all processes of it, on the loopback interface.

    Args:
        ray_params: Ray's parameters of the node.
        head: Whether it is the head.
    """
    from ray._private import services

    # This process has read the flag (a worker node would be refused); its children have not.
    os.environ[FLAG] = "0"
    services.get_node_ip_address = lambda address=None: ADDRESS
    ray_params.node_ip_address = ADDRESS
