"""Commands on one checkpoint or on this machine: ``evaluate``, ``render`` and ``doctor``."""

from __future__ import annotations

import typer


def register(app: typer.Typer) -> None:
    """Add the inspecting commands to the command-line application."""
