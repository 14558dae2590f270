"""Ctrl-C and SIGTERM: the first ends a launch in order, the second at once."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import Any

from ray.tune import Stopper

SIGNALS = (signal.SIGINT, signal.SIGTERM)


class Interruption(Stopper):
    """Tells Tune to stop every trial once it has been requested; the trials save themselves.

    Args:
        marker: A file whose presence is a request too: a launch through a Ray client is stopped by
            a process that cannot signal this one.
    """

    def __init__(self, marker: Path | None = None) -> None:
        self._requested = threading.Event()
        self._marker = marker

    def __getstate__(self) -> dict[str, Any]:
        """Give nothing: Tune pickles its stopper into a state file that nobody reads."""
        return {}

    def request(self) -> None:
        """Ask for the end."""
        self._requested.set()

    @property
    def requested(self) -> bool:
        """Whether the end was asked for."""
        return self._requested.is_set() or (self._marker is not None and self._marker.exists())

    def __call__(self, trial_id: str, result: dict[str, Any]) -> bool:
        """Whether this trial should stop at its newest result."""
        return self.requested

    def stop_all(self) -> bool:
        """Whether all trials should stop."""
        return self.requested


@contextmanager
def interruptible(
    announce: Callable[[], None], marker: Path | None = None
) -> Iterator[Interruption]:
    """Catch the signals that end a program for as long as the block runs.

    Args:
        announce: Called at the first signal, to tell the user what happens now.
        marker: See `Interruption`.

    Yields:
        What to give to Tune as stopper, and to ask afterwards. Outside the main thread, where
        Python allows no signal handlers, it is never requested.
    """
    interruption = Interruption(marker)
    if threading.current_thread() is not threading.main_thread():
        yield interruption
        return
    before = {number: signal.getsignal(number) for number in SIGNALS}

    def restore() -> None:
        for number, handler in before.items():
            signal.signal(number, handler)

    def first(number: int, frame: FrameType | None) -> None:
        restore()
        interruption.request()
        announce()

    for number in SIGNALS:
        signal.signal(number, first)
    try:
        yield interruption
    finally:
        restore()
