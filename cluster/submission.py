"""Experiments as Ray jobs: submitted, listed, followed and stopped."""

from __future__ import annotations

import asyncio
import os
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from expedition.cluster import wheel
from expedition.cluster.dashboard import Dashboard
from expedition.cluster.request import Request
from expedition.platform import staging
from expedition.platform.errors import UserError, unknown
from expedition.platform.placement import require_room
from expedition.platform.places import address, split
from expedition.platform.store import require_writable
from expedition.platform.tracking import URI_VARIABLE

if TYPE_CHECKING:
    from ray.job_submission import JobDetails

RUN, EXPERIMENT, STORAGE = "expedition.run", "expedition.experiment", "expedition.storage"
STOP_WAIT_S = 60  # a job that is stopped finishes its iterations and saves its trials
SUCCEEDED = "SUCCEEDED"
STOP_GRACE_S = 15  # beyond that, until Ray has ended its processes and says so
ENDED = (SUCCEEDED, "FAILED", "STOPPED")
_HEALTH_S = 5.0
_POLL_S = 0.5

Say = Callable[[str], None]


@dataclass(frozen=True)
class Job:
    """A job of ours on a cluster.

    Attributes:
        id: Its submission id, ``<run>.<count>``.
        run: Name of the run.
        experiment: Name of the experiment.
        status: ``PENDING``, ``RUNNING``, ``SUCCEEDED``, ``FAILED`` or ``STOPPED``.
        started: When, in ISO form; empty while it waits.
        seconds: How long it has run.
        storage: Results folder.
        entrypoint: Its command.
        message: What Ray says of it.
    """

    id: str
    run: str
    experiment: str
    status: str
    started: str
    seconds: float
    storage: str
    entrypoint: str
    message: str

    @property
    def ended(self) -> bool:
        """Whether it has ended, well or not."""
        return self.status in ENDED


def submit(
    dashboard: Dashboard, request: Request, storage: Path, tracking: str | None, say: Say
) -> Job:
    """Send an experiment to a cluster, or find the job that is running it.

    Args:
        dashboard: The cluster.
        request: What to run; it has been checked.
        storage: Results folder that every node sees under this path, or that stands for an object
            store.
        tracking: MLflow server; a file in the results folder when not given.
        say: Told in a line what is sent.

    Returns:
        The job.

    Raises:
        UserError: The cluster, the folder or the server's address cannot be used, no node can
            hold a trial, or the run is being made with other settings.
    """
    dashboard.require_ray()
    require_room(request.experiment, _living(dashboard), "the cluster")
    _check_storage(dashboard, storage)
    _check_tracking(tracking, say)
    shared = address(storage)
    entrypoint = request.entrypoint(shared)
    earlier = [job for job in jobs(dashboard) if (job.run, job.storage) == (request.run, shared)]
    running = next((job for job in earlier if not job.ended), None)
    if running is not None:
        if running.entrypoint != entrypoint:
            raise UserError(
                f"job {running.id} is making run {request.run} with other settings: end it with"
                f" expedition stop {running.id}, or choose another --name"
            )
        say(f"job {running.id} is running this already")
        return running
    if earlier:
        say(f"run {request.run} goes on where job {earlier[0].id} left it")
    return _send(dashboard, request, shared, tracking, entrypoint, say)


def _send(
    dashboard: Dashboard,
    request: Request,
    storage: str,
    tracking: str | None,
    entrypoint: str,
    say: Say,
) -> Job:
    count = sum(job.id.rpartition(".")[0] == request.run for job in jobs(dashboard))
    job_id = f"{request.run}.{count + 1}"
    variables = {"RAY_JOB_STOP_WAIT_TIME_S": str(STOP_WAIT_S), "PYTHONUNBUFFERED": "1"}
    if tracking:
        variables[URI_VARIABLE] = tracking
    with tempfile.TemporaryDirectory(prefix="expedition-submit-") as temporary:
        code = wheel.make(Path(temporary))
        known = dashboard.has(f"/api/packages/gcs/{code.path.name}")
        what = "already there" if known else f"{code.size / 2**20:.1f} MiB"
        say(f"code: {code.path.name}, {code.files} files, {what}")
        runtime: dict[str, Any] = {"py_modules": [str(code.path)], "env_vars": variables}
        if request.files:
            folder = Path(temporary) / "files"
            request.write_files(folder)
            runtime["working_dir"] = str(folder)
            size = sum(file.stat().st_size for file in request.files.values())
            say(f"files: {', '.join(request.files)}, {size / 2**10:.1f} KiB")
        with _explained(dashboard):
            dashboard.jobs().submit_job(
                entrypoint=entrypoint,
                submission_id=job_id,
                runtime_env=runtime,
                metadata={
                    RUN: request.run, EXPERIMENT: request.experiment.name, STORAGE: storage,
                },
            )  # fmt: skip
    return find(dashboard, job_id)


def jobs(dashboard: Dashboard) -> list[Job]:
    """List the jobs of this package, the newest first.

    Raises:
        UserError: The cluster does not answer, or refuses.
    """
    with _explained(dashboard):
        found = dashboard.jobs().list_jobs()
    ours = [_job(details) for details in found if RUN in (details.metadata or {})]
    return sorted(ours, key=lambda job: (job.started or "~", job.id), reverse=True)


def _job(details: JobDetails) -> Job:
    metadata: Mapping[str, str] = details.metadata or {}
    start, end = details.start_time, details.end_time
    now = datetime.now(UTC).timestamp() * 1000
    return Job(
        id=details.submission_id,
        run=metadata[RUN],
        experiment=metadata.get(EXPERIMENT, ""),
        status=str(details.status.value),
        started=_iso(start) if start else "",
        seconds=round(((end or now) - start) / 1000, 1) if start else 0.0,
        storage=metadata.get(STORAGE, ""),
        entrypoint=details.entrypoint,
        message=" ".join((details.message or "").split()),
    )


def _iso(milliseconds: int) -> str:
    return datetime.fromtimestamp(milliseconds / 1000, UTC).isoformat("T", "seconds")


def find(dashboard: Dashboard, name: str | None = None) -> Job:
    """Find a job by its id or its run; the newest of several, or of all.

    Raises:
        UserError: There is none.
    """
    there = jobs(dashboard)
    found = [job for job in there if name in (None, job.id, job.run)]
    if found:
        return found[0]
    if name is None or not there:
        raise UserError(f"no jobs at {dashboard.address}")
    raise unknown("job", name, {job.id for job in there})


def logs(dashboard: Dashboard, job: Job) -> str:
    """Give what a job has printed so far."""
    with _explained(dashboard):
        return str(dashboard.jobs().get_job_logs(job.id))


def follow(dashboard: Dashboard, job: Job, write: Callable[[str], None]) -> Job:
    """Pass on what a job prints until it has ended.

    Returns:
        The job as it ended.
    """

    async def tail() -> None:
        async for text in dashboard.jobs().tail_job_logs(job.id):
            write(text)

    with _explained(dashboard):
        asyncio.run(tail())
    return find(dashboard, job.id)


def stop(dashboard: Dashboard, job: Job, say: Say) -> Job:
    """End a job in order, which saves its trials, and wait until it has ended.

    Until then it counts as running: submitting its run again would find it and start nothing.

    Args:
        dashboard: The cluster.
        job: The job.
        say: Told in a line that it takes a while.

    Returns:
        The job as it ended.

    Raises:
        UserError: It has not ended when Ray should have ended it, or the cluster does not answer.
    """
    if job.ended:
        return job
    with _explained(dashboard):
        dashboard.jobs().stop_job(job.id)
    say(f"job {job.id} finishes its iterations and saves its trials, for {STOP_WAIT_S} s at most")
    deadline = time.monotonic() + STOP_WAIT_S + STOP_GRACE_S
    while not (found := find(dashboard, job.id)).ended:
        if time.monotonic() > deadline:
            raise UserError(
                f"job {job.id} is being stopped and has not ended: see expedition jobs before it is"
                " submitted again"
            )
        time.sleep(_POLL_S)
    return found


@contextmanager
def _explained(dashboard: Dashboard) -> Iterator[None]:
    """Turn what Ray's client of jobs raises into one line."""
    import aiohttp
    import requests
    from ray.exceptions import AuthenticationError

    try:
        yield
    except AuthenticationError as error:
        raise dashboard.refusal(403 if dashboard.token else 401, "") from error
    except (ConnectionError, requests.ConnectionError, aiohttp.ClientError) as error:
        raise dashboard.unreachable(ConnectionError("the connection failed")) from error
    except (RuntimeError, requests.RequestException) as error:
        # A traceback of the cluster's, whose last line says it, and a full stop of the client's.
        lines = [line for line in str(error).splitlines() if line.strip(" .")] or [""]
        raise UserError(f"the cluster at {dashboard.address}: {lines[-1]}") from error


def _living(dashboard: Dashboard) -> list[dict[str, float]]:
    """List the resources of every living node."""
    return [node["resources_total"] for node in dashboard.nodes() if node["state"] == "ALIVE"]


def _check_storage(dashboard: Dashboard, storage: Path) -> None:
    """Refuse a results folder that the job could not use, as far as that is seen from here."""
    if dashboard.local and split(storage) is None:
        require_writable(storage)
    elif dashboard.local:
        staging.require_usable(storage)


def _check_tracking(uri: str | None, say: Say) -> None:
    """Refuse an address with a password, and warn when the server is not there."""
    if not uri or not uri.startswith(("http://", "https://")):
        return
    if urlsplit(uri).username is not None:
        raise UserError(
            f"{URI_VARIABLE} holds a name or password, which the job's record would show: set"
            " MLFLOW_TRACKING_USERNAME and MLFLOW_TRACKING_PASSWORD on the cluster's nodes"
        )
    try:
        urllib.request.urlopen(f"{uri.rstrip('/')}/health", timeout=_HEALTH_S).close()
    except (OSError, urllib.error.URLError, ValueError) as error:
        say(
            f"MLflow at {uri} does not answer from here ({error}): the run goes on without it, and"
            " sends what it missed when it is back"
        )


def default_tracking() -> str | None:
    """MLflow server of this shell: the job is given the same."""
    return os.environ.get(URI_VARIABLE)
