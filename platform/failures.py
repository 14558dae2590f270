"""Why a trial failed: losses that are not finite, and the record that a failure leaves."""

from __future__ import annotations

import math
from collections.abc import Mapping
from numbers import Real
from typing import Any

from expedition.algorithms.core.errors import NonFiniteLossError
from expedition.platform import checkpoints
from expedition.platform.errors import UserError
from expedition.platform.ownership import Ownership, OwnershipLostError
from expedition.platform.places import address
from expedition.platform.store import FAILED, TrialFolder
from expedition.platform.trial_staging import newest_sent, send_status


def refuse_non_finite(result: Mapping[str, Any], env_steps: int) -> None:
    """Raise when a loss is NaN or infinite, also where the algorithm itself does not look.

    Args:
        result: What ``Algorithm.train`` returned.
        env_steps: Environment steps made.

    Raises:
        NonFiniteLossError: Names the losses, the environment step and the update.
    """
    bad = {
        name: float(value)
        for metrics in result.get("learners", {}).values()
        for name, value in metrics.items()
        if "loss" in name and isinstance(value, Real) and not math.isfinite(value)
    }
    if bad:
        raise NonFiniteLossError(bad, env_steps, int(result.get("updates", 0)))


def failure(error: BaseException, env_steps: int, folder: TrialFolder) -> dict[str, Any]:
    """Describe a failure for ``status.json``.

    Args:
        error: What was raised; where Ray wrapped the error of a remote worker, its cause counts.
        env_steps: Environment steps recorded.
        folder: The trial's folder.

    Returns:
        ``{type, message, step, last_good_checkpoint}``.
    """
    cause = getattr(error, "cause", None)
    root = cause if isinstance(cause, BaseException) else error
    good = next((c for _, c in checkpoints.newest_first(folder.checkpoints) if c), None)
    place = address(good.path) if good else newest_sent(folder)
    return {
        "type": type(root).__name__,
        "message": " ".join(str(root).split()),
        "step": int(getattr(root, "env_steps", env_steps)),
        "last_good_checkpoint": place,
    }


def record_failure(
    folder: TrialFolder, report: Mapping[str, Any], ownership: Ownership | None = None
) -> None:
    """Write ``status.json`` of a failed trial, unless its folder is another's or unwritable."""
    try:
        if ownership is not None:
            ownership.check()
        folder.set_status(FAILED, int(report["step"]), error=dict(report))
        send_status(folder)
    except (OwnershipLostError, OSError, UserError):
        return  # the launch reports the failure all the same
