"""MLflow as a mirror of the run folder: what is on disk is sent, whenever the server is there.

The folder is the truth. ``mlflow.json`` in it and in every trial folder remembers the run ids and
how much has been sent, so that a resumed launch continues the same MLflow runs and
``expedition track RUN`` sends what a dead server missed.
"""

from __future__ import annotations

import contextlib
import os
import threading
from typing import TYPE_CHECKING

from rich.console import Console

from expedition.platform import staging
from expedition.platform.bucket import BucketError
from expedition.platform.places import address
from expedition.platform.store import RunFolder

if TYPE_CHECKING:
    from expedition.platform.mlflow_store import Sender

URI_VARIABLE = "MLFLOW_TRACKING_URI"
_EVERY_S = 5.0  # between two looks at the folder
_STAGED_S = 30.0  # between two looks at the object store that the rows are in
_RETRY_S = 30.0  # after the server did not answer


def tracking_uri(folder: RunFolder) -> str:
    """Say where a run is tracked: ``MLFLOW_TRACKING_URI``, or a SQLite file beside the runs."""
    default = f"sqlite:///{folder.path.absolute().parent / 'mlflow.db'}"
    return os.environ.get(URI_VARIABLE) or default


class Mirror:
    """Sends a run to MLflow from a thread of its own while it grows.

    Nothing here can fail a run: an error is one warning, and what was not sent stays in the
    folder.

    Args:
        folder: The run.
        artifact_limit_mib: Final checkpoints up to this size are sent as artifacts.
        console: Where the warning goes.
    """

    def __init__(self, folder: RunFolder, artifact_limit_mib: float, console: Console) -> None:
        self._folder = folder
        self._limit = artifact_limit_mib
        self._console = console
        self._uri = tracking_uri(folder)
        self._closing = threading.Event()
        self._thread: threading.Thread | None = None
        self._warned = False

    def start(self) -> None:
        """Begin to send, if that has not begun: importing MLflow can wait until trials run."""
        if self._thread is None:
            self._thread = threading.Thread(target=self._work, name="mlflow", daemon=True)
            self._thread.start()

    def close(self) -> None:
        """Send what is left, once, and end."""
        self.start()
        self._closing.set()
        if self._thread is not None:
            self._thread.join()

    def _work(self) -> None:
        sender: Sender | None = None
        while True:
            last = self._closing.is_set()
            try:
                with contextlib.suppress(BucketError):
                    staging.refresh(self._folder, _STAGED_S)
                sender = sender or self._connect()
                sender.send(final=last)
                pause = _EVERY_S
            except Exception as error:  # MLflow raises its own, requests', SQLAlchemy's errors
                self._warn(error)
                pause = _RETRY_S
            if last:
                return
            self._closing.wait(pause)

    def _connect(self) -> Sender:
        from expedition.platform.mlflow_store import Sender

        return Sender(self._folder, self._uri, self._limit)

    def _warn(self, error: Exception) -> None:
        if self._warned:
            return
        self._warned = True
        self._console.print(
            f"MLflow at {self._uri} does not answer ({first_line(error)}); the run goes on, "
            f"send it later with: expedition track {address(self._folder.path)}",
            highlight=False, markup=False, soft_wrap=True,
        )  # fmt: skip


def first_line(error: BaseException) -> str:
    """Give the type and the first line of an error, cut to a readable length."""
    text = (str(error).strip().splitlines() or [""])[0]
    return f"{type(error).__name__}: {text[:120]}"
