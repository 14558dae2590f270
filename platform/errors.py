"""Mistakes of the user: one line on the terminal, never a traceback."""

from __future__ import annotations

import difflib
from collections.abc import Iterable


class UserError(Exception):
    """Something the user can put right: the message is one line and says how.

    Raise it for wrong names, values, files and folders. ``cli.app.main`` prints it after
    ``expedition:`` and exits with status 2; a traceback appears only with ``--debug``.
    """

    def __init__(self, message: str) -> None:
        super().__init__(" ".join(message.split()))


def nearest(name: object, choices: Iterable[object]) -> str:
    """Say which valid name was probably meant, as the tail of an error message.

    Args:
        name: What the user wrote.
        choices: The valid names.

    Returns:
        ``"; did you mean 'x'?"``, or the list of choices when nothing is close and the list is
        short, or an empty string.

    Example:
        >>> nearest("budgett", ["budget", "seeds"])
        "; did you mean 'budget'?"
    """
    names = sorted({str(choice) for choice in choices})
    text = str(name)
    folded = {choice.casefold(): choice for choice in reversed(names)}
    close = difflib.get_close_matches(text.casefold(), folded, n=1, cutoff=0.55)
    if close:
        return f"; did you mean '{folded[close[0]]}'?"
    if 0 < len(names) <= 12:
        return f"; choose from {', '.join(names)}"
    return ""


def unknown(kind: str, name: object, choices: Iterable[object], where: str = "") -> UserError:
    """Build the error for a name that does not exist.

    Args:
        kind: What was named, e.g. ``"variant"``.
        name: What the user wrote.
        choices: The valid names.
        where: File and key it was written at, if any, e.g. ``"fig2c.yaml:12: metrics.halls"``.

    Returns:
        The error, to be raised by the caller.
    """
    prefix = f"{where}: " if where else ""
    return UserError(f"{prefix}unknown {kind} '{name}'{nearest(name, choices)}")
