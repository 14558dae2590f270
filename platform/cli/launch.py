"""Commands that start trials: ``run``, ``train`` and ``sweep``."""

from __future__ import annotations

import typer


def register(app: typer.Typer) -> None:
    """Add the launching commands to the command-line application."""
