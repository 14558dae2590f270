"""Launches through ``ray://``: Tune runs on the cluster, this process only watches.

Tune needs a process that is part of the cluster, which a Ray client is not. The results folder
must be one that the client and every node of the cluster see under the same path.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from rich.console import Console

from expedition.platform.errors import UserError
from expedition.platform.interrupt import interruptible
from expedition.platform.launch import Options
from expedition.platform.plan import Trial
from expedition.platform.session import ray_session
from expedition.platform.spec import Experiment
from expedition.platform.store import RunFolder

if TYPE_CHECKING:
    from expedition.platform.schedulers import Sweep
    from expedition.platform.tracking import Mirror

SCHEME = "ray://"
_POLL_S = 1.0


def run_through_client(
    folder: RunFolder,
    experiment: Experiment,
    options: Options,
    sweep: Sweep | None,
    trials: Sequence[Trial],
    mirror: Mirror | None,
) -> bool:
    """Run trials by a task on the cluster and wait for it; see `tuning.run_trials`.

    Returns:
        Whether it was interrupted.

    Raises:
        UserError: As there; it is raised on the cluster.
    """

    def announce() -> None:
        options.console.print("stopping after this iteration; press Ctrl-C again to leave at once")

    session = ray_session(options.address, debug=options.debug, show_workers=True)
    with session, interruptible(announce) as stopper:
        import ray
        from ray.exceptions import RayTaskError

        # No console and no mirror go along: they belong to this process.
        luggage = {"address": options.address, "debug": options.debug}
        task = ray.remote(num_cpus=0, max_retries=0)(_on_the_cluster)
        reference = task.remote(folder, experiment, luggage, sweep, list(trials))
        if mirror is not None:
            mirror.start()
        while not ray.wait([reference], timeout=_POLL_S)[0]:
            if stopper.requested:
                folder.stop.touch()
        try:
            return bool(ray.get(reference))
        except RayTaskError as error:  # its text is the traceback there
            if isinstance(error.cause, UserError):
                raise UserError(str(error.cause)) from error
            raise


def _on_the_cluster(
    folder: RunFolder,
    experiment: Experiment,
    luggage: Mapping[str, Any],
    sweep: Sweep | None,
    trials: Sequence[Trial],
) -> bool:
    from expedition.platform.tuning import run_trials

    lines = Console(file=sys.stdout, force_terminal=False, width=200)
    return run_trials(folder, experiment, Options(console=lines, **luggage), sweep, trials, None)
