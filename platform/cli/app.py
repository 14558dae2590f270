"""The ``expedition`` command: assembles the sub-commands and turns errors into one line."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from importlib.metadata import entry_points
from importlib.metadata import version as distribution_version
from typing import Annotated

import typer

from expedition.platform.cli import dataset, inspect, judge, launch, show
from expedition.platform.errors import UserError

USER_ERROR = 2
COMMANDS = "expedition.commands"  # entry points: functions that add commands to the application
INTERRUPTED = 130  # 128 + SIGINT, what a shell expects after Ctrl-C

app = typer.Typer(
    name="expedition",
    help="Experiments in learning to explore: declared in YAML, run on Ray, judged by claims.",
    context_settings={"help_option_names": ["-h", "--help"]},
    pretty_exceptions_enable=False,
    add_completion=True,
)


def _print_version(wanted: bool) -> None:
    if wanted:
        typer.echo(distribution_version("expedition"))
        raise typer.Exit()


@app.callback()
def _root(
    version: Annotated[
        bool,
        typer.Option(
            "--version", help="Print the version.", callback=_print_version, is_eager=True
        ),
    ] = False,
    debug: Annotated[
        bool, typer.Option("--debug", help="Show the traceback of an error (any position).")
    ] = False,
) -> None:
    """Options of every command; both are handled before a command starts."""


for _commands in (show, launch, judge, inspect, dataset):
    _commands.register(app)
for _point in sorted(entry_points(group=COMMANDS), key=lambda point: point.name):
    _point.load()(app)


def run(argv: Sequence[str]) -> int:
    """Run one command line.

    Args:
        argv: Arguments without the program's name. ``--debug`` may stand anywhere.

    Returns:
        Exit status: 0 success, 1 failed trials or a contradicted claim (set by the command),
        2 a mistake of the user, 130 interrupted.
    """
    debug = "--debug" in argv
    arguments = [argument for argument in argv if argument != "--debug"] or ["--help"]
    try:
        status = app(arguments, prog_name="expedition", standalone_mode=False)
    except KeyboardInterrupt:
        return INTERRUPTED
    except BrokenPipeError:  # `expedition list | head`: the reader left, nothing is wrong
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except Exception as error:
        if debug:
            raise
        return _explain(error)
    return status if isinstance(status, int) else 0


def _explain(error: Exception) -> int:
    """Print one line for an error and return the exit status it deserves."""
    if isinstance(error, UserError):
        print(f"expedition: {error}", file=sys.stderr)
        return USER_ERROR
    # Typer raises its own usage errors, whose module differs between its releases.
    if hasattr(error, "format_message"):
        print(f"expedition: {' '.join(error.format_message().split())}", file=sys.stderr)
        return USER_ERROR
    text = " ".join(str(error).split()) or "no message"
    print(f"expedition: {type(error).__name__}: {text} (--debug shows where)", file=sys.stderr)
    return 1


def main() -> None:
    """Entry point of the ``expedition`` console script."""
    sys.exit(run(sys.argv[1:]))


if __name__ == "__main__":
    main()
