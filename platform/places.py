"""Where results lie: in a folder or, named by a URI, in an object store with a folder here for it.

An object store cannot rename or append, which run folders need. Results at ``s3://bucket/prefix``
are therefore written into a folder of this machine, ``~/.expedition/staging/<the URI, quoted>``,
and copied (see `expedition.platform.staging`). The folder's name holds the URI, so that each of
the two is known from the other, on every node alike.
"""

from __future__ import annotations

import os
import re
from pathlib import Path
from urllib.parse import quote, unquote, urlsplit, urlunsplit

from expedition.platform.errors import UserError

HOME_VARIABLE = "EXPEDITION_HOME"
SCHEMES = ("s3", "gs")
# `Path("s3://bucket")` is "s3:/bucket" and `Path("s3://")` is "s3:".
_URI = re.compile(r"([A-Za-z][A-Za-z0-9+.-]+):(?:/+(.*)|$)", re.DOTALL)


def home() -> Path:
    """Folder of what this user's machine keeps: ``EXPEDITION_HOME``, else ``~/.expedition``."""
    return Path(os.environ.get(HOME_VARIABLE) or Path.home() / ".expedition").absolute()


def is_uri(place: str | Path) -> bool:
    """Whether a place is meant to be an object store."""
    return _URI.match(str(place)) is not None


def normalised(place: str | Path) -> str:
    """Write a URI in the one way that is compared and shown.

    Args:
        place: E.g. ``s3://bucket/prefix/``, or the same as it comes out of a `Path`.

    Returns:
        ``s3://bucket/prefix``; options behind ``?`` are kept.

    Raises:
        UserError: The scheme is unknown, there is no bucket, or it holds a password.
    """
    match = _URI.match(str(place))
    scheme = match[1].lower() if match else ""
    if match is None or scheme not in SCHEMES:
        kinds = " or ".join(f"{name}://BUCKET/PREFIX" for name in SCHEMES)
        raise UserError(f"{place}: results lie in a folder, or at {kinds}")
    rest = urlsplit(f"{scheme}://{match[2] or ''}")
    if "@" in rest.netloc or "secret_key" in rest.query:
        raise UserError(
            f"{scheme}://...: names and passwords do not belong into an address, which is shown and"
            " recorded: set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or what the cloud has"
        )
    if not rest.netloc:
        raise UserError(f"{place}: names no bucket: {scheme}://BUCKET/PREFIX")
    return urlunsplit((scheme, rest.netloc, rest.path.rstrip("/"), rest.query, ""))


def located(place: str | Path) -> Path:
    """Find the folder for results: the one named or, for a URI, the one that stands for it.

    Raises:
        UserError: See `normalised`.
    """
    if not is_uri(place):
        return Path(place).absolute()
    return _root() / quote(normalised(place), safe="")


def located_run(place: str | Path) -> Path:
    """Find the folder of a run or of something in it, as `located` does that of all results.

    Args:
        place: ``s3://bucket/prefix/RUN``, or further down ``.../RUN/trials/...``; or a folder.
    """
    if not is_uri(place):
        return Path(place)
    whole = urlsplit(normalised(place))
    run, mark, inner = whole.path.partition("/trials/")
    results, _, name = run.rpartition("/")
    folder = located(urlunsplit(whole._replace(path=results))) / name
    return folder / "trials" / inner if mark else folder


def split(path: Path) -> tuple[str, str] | None:
    """Say what a folder stands for.

    Args:
        path: Of anything in a results folder.

    Returns:
        URI of the results, and the key below it; ``None`` if the folder stands for itself.
    """
    root = _root()
    if not path.is_relative_to(root) or path == root:
        return None
    results, *inner = path.relative_to(root).parts
    return unquote(results), "/".join(inner)


def address(path: Path) -> str:
    """Give the name by which a user knows a path: its URI, or itself."""
    parts = split(path)
    if parts is None:
        return str(path)
    results, key = parts
    whole = urlsplit(results)
    return urlunsplit(whole._replace(path=f"{whole.path}/{key}" if key else whole.path))


def _root() -> Path:
    return home() / "staging"
