"""Rows of a trial, each read once."""

from __future__ import annotations

from pathlib import Path

import pytest

from expedition.platform import row_reader
from expedition.platform.row_reader import RowReader
from expedition.platform.store import TrialFolder, parse_rows


def _add(files: TrialFolder, *iterations: int, seconds: float = 1.0) -> None:
    for iteration in iterations:
        files.append_row({"iteration": iteration, "time/seconds": seconds})


def _iterations(reader: RowReader) -> tuple[int, list[int]]:
    before, rows = reader.fresh()
    return before, [row["iteration"] for row in rows]


def test_what_was_taken_is_not_parsed_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    files = TrialFolder(tmp_path)
    reader = RowReader(files)
    assert _iterations(reader) == (0, [])
    _add(files, 1, 2)
    assert _iterations(reader) == (0, [1, 2])
    assert _iterations(reader) == (0, [1, 2])  # it was not taken: the server may be down
    reader.take()
    reader.take()
    _add(files, 3)
    parsed: list[str] = []
    monkeypatch.setattr(
        row_reader, "parse_rows", lambda lines: parsed.extend(lines) or parse_rows(lines)
    )
    assert _iterations(reader) == (2, [3])
    assert len(parsed) == 1


def test_rows_that_come_while_others_are_sent_are_not_lost(tmp_path: Path) -> None:
    files = TrialFolder(tmp_path)
    reader = RowReader(files)
    _add(files, 1)
    reader.fresh()
    _add(files, 2)
    reader.take()
    assert _iterations(reader) == (1, [2])


def test_a_line_half_written_is_read_when_it_is_whole(tmp_path: Path) -> None:
    files = TrialFolder(tmp_path)
    reader = RowReader(files)
    _add(files, 1, 2)
    content = files.progress.read_bytes()
    files.progress.write_bytes(content[:-5])
    assert _iterations(reader) == (0, [1])
    reader.take()
    files.progress.write_bytes(content)
    assert _iterations(reader) == (1, [2])


@pytest.mark.parametrize("kept", [0, 1, 3])
def test_a_trial_that_goes_on_from_a_checkpoint_is_read_anew(tmp_path: Path, kept: int) -> None:
    files = TrialFolder(tmp_path)
    reader = RowReader(files)
    _add(files, 1, 2, 3)
    reader.fresh()
    reader.take()
    files.cut_back(kept)
    _add(files, *range(kept + 1, 6), seconds=2.0)
    expected = (3, [4, 5]) if kept == 3 else (0, [1, 2, 3, 4, 5])
    assert _iterations(reader) == expected
