"""A Ray session for one launch: quiet, and gone without a trace when the launch ends."""

from __future__ import annotations

import gc
import logging
import os
import shutil
import socket
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from expedition.platform.errors import UserError

_CONNECT_S = 5.0
_PREFIX = "expedition-ray-"
_SETTINGS = {
    "RAY_USAGE_STATS_ENABLED": "0",  # sends nothing home
    "RAY_CHDIR_TO_TRIAL_DIR": "0",  # relative paths mean what they mean in the user's shell
    "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "0",  # silences a warning about CUDA_VISIBLE_DEVICES
    "RAY_AIR_NEW_OUTPUT": "0",  # the old output is silent at verbosity 0, the new one is not
    "TUNE_DISABLE_AUTO_CALLBACK_LOGGERS": "1",  # no CSV, JSON and TensorBoard copies of the rows
    "TUNE_DISABLE_STRICT_METRIC_CHECKING": "1",  # a failed trial has no metrics, and that is fine
    "TUNE_DISABLE_SIGINT_HANDLER": "1",  # the launch has its own (see interrupt.py)
    "TUNE_GLOBAL_CHECKPOINT_S": "3600",  # the run folder is the truth, not Tune's state
    "TUNE_WARN_EXCESSIVE_EXPERIMENT_CHECKPOINT_SYNC_THRESHOLD_S": "0",
}


@contextmanager
def ray_session(address: str | None, *, debug: bool, show_workers: bool = False) -> Iterator[None]:
    """Connect to a cluster, or start Ray on this machine for as long as the block runs.

    Args:
        address: ``None`` for this machine, ``auto``, ``host:port`` or ``ray://host:port``.
        debug: Show what Ray and the workers log.
        show_workers: Show what workers print, and nothing of Ray's own.

    Yields:
        With Ray initialised.

    Raises:
        UserError: There is no cluster at the address, or Ray refuses the token.
    """
    for name, value in _SETTINGS.items():
        os.environ.setdefault(name, value)
    quiet(debug)
    import ray

    common = {"logging_level": _level(debug), "log_to_driver": debug or show_workers}
    if ray.is_initialized():  # a notebook's or a test's session, which is not ours to end
        yield
        return
    if address is not None:
        _connect(address, common)
        try:
            yield
        finally:
            _leave()
        return
    remove_leftovers()
    folder = tempfile.mkdtemp(prefix=f"{_PREFIX}{os.getpid()}-")
    try:
        _init(
            "local",  # and not the cluster of RAY_ADDRESS, which --address auto means
            num_cpus=usable_cores(), include_dashboard=False, _temp_dir=folder, **common,
        )  # fmt: skip
        yield
    finally:
        _leave()
        shutil.rmtree(folder, ignore_errors=True)


def _leave() -> None:
    """Disconnect from Ray while no reference to an object of it can die in another thread.

    Ray ends the process, without a word, if one does after the core worker is gone and before
    ``ray.shutdown`` is over; and Python collects cycles in whatever thread allocates, such as that
    which sends to MLflow.
    """
    import ray

    gc.collect()
    was_on = gc.isenabled()
    gc.disable()
    try:
        ray.shutdown()
    finally:
        if was_on:
            gc.enable()


def _init(address: str, **settings: Any) -> None:
    import ray
    from ray.exceptions import AuthenticationError

    try:
        ray.init(address, **settings)
    except AuthenticationError as error:  # e.g. of a shell that remembers a cluster that is gone
        reason = str(error).partition(". ")[0]
        raise UserError(
            f"{reason}: name the token of the cluster, or unset RAY_AUTH_MODE for a Ray without"
        ) from error


def _connect(address: str, common: Mapping[str, Any]) -> None:
    try:
        _init(address, **common)
    except (ConnectionError, RuntimeError, ValueError, TimeoutError) as error:
        lines = [line for line in str(error).splitlines() if line.strip()] or [""]
        reason = lines[-1] if lines[0].endswith(":") else lines[0]  # of a traceback of the server's
        raise UserError(f"no Ray cluster at --address {address}: {reason}") from error


def require_listener(address: str) -> None:
    """Refuse an address where nobody listens: Ray itself would try for minutes.

    Raises:
        UserError: Names the address.
    """
    host, _, port = address.removeprefix("ray://").rpartition(":")
    if not port.isdigit():
        return  # "auto", or a name that Ray resolves itself
    try:
        socket.create_connection((host, int(port)), timeout=_CONNECT_S).close()
    except OSError as error:
        raise UserError(
            f"no Ray cluster at --address {address}: {error.strerror or error}"
        ) from error


def _level(debug: bool) -> int:
    return logging.INFO if debug else logging.ERROR


def quiet(debug: bool) -> None:
    """Silence the loggers of Ray: what matters of it appears in the launch's own table."""
    import ray.rllib  # noqa: F401 - sets the level of its logger when imported, so it must come first

    level = logging.INFO if debug else logging.CRITICAL
    for name in ("ray", "ray.tune", "ray.rllib", "ray.train", "ray.data"):
        logging.getLogger(name).setLevel(level)


def usable_cores() -> int:
    """Cores this process may use, which a container or taskset may have limited."""
    try:
        return len(os.sched_getaffinity(0))
    except AttributeError:  # not on macOS
        return os.cpu_count() or 1


def remove_leftovers() -> None:
    """Remove session folders whose launch was killed before it could."""
    for folder in Path(tempfile.gettempdir()).glob(f"{_PREFIX}*"):
        pid = folder.name.removeprefix(_PREFIX).partition("-")[0]
        if pid.isdigit() and folder.stat().st_uid == os.getuid() and not _alive(int(pid)):
            shutil.rmtree(folder, ignore_errors=True)


def _alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True
