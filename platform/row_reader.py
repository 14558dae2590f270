"""Reads the rows of a trial as they are added, without parsing again what was read before."""

from __future__ import annotations

from typing import Any

from expedition.platform.store import TrialFolder, parse_rows


class RowReader:
    """Knows how much of a trial's progress file has been taken.

    A trial that goes on from a checkpoint writes the file anew. That is noticed by the last line
    taken, which has the seconds of its row and so is never written twice; reading then begins at
    the start.

    Args:
        files: The trial.
    """

    def __init__(self, files: TrialFolder) -> None:
        self._path = files.progress
        self._restart()

    def _restart(self) -> None:
        self._offset = 0  # bytes taken
        self._count = 0  # rows taken
        self._last = b""  # last line taken
        self._given: list[bytes] = []

    def fresh(self) -> tuple[int, list[dict[str, Any]]]:
        """Read what was added; it is given again until it is taken.

        Returns:
            How many rows come before, and the rows.
        """
        added = self._added()
        rows = parse_rows([line.decode() for line in added])
        self._given = added[: len(rows)]
        return self._count, rows

    def take(self) -> None:
        """Let `fresh` go on after what it gave last."""
        if self._given:
            self._offset += sum(map(len, self._given))
            self._count += len(self._given)
            self._last = self._given[-1]
            self._given = []

    def _added(self) -> list[bytes]:
        """Read the whole lines after those taken."""
        try:
            with self._path.open("rb") as file:
                file.seek(self._offset - len(self._last))
                content = file.read()
                if not content.startswith(self._last):
                    self._restart()
                    file.seek(0)
                    content = file.read()
        except FileNotFoundError:
            return []
        lines = content[len(self._last) :].splitlines(keepends=True)
        return [line for line in lines if line.endswith(b"\n")]
