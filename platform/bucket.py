"""Files in an object store, through pyarrow: whole or not there, tried again, failing in one line.

An object appears when it has been written to its end, and not before: what a killed upload leaves
is never seen. That is all that is asked of the store; nothing is renamed or appended to.
"""

from __future__ import annotations

import functools
import os
import re
import time
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import parse_qsl, urlsplit

from expedition.platform.errors import UserError
from expedition.platform.places import split
from expedition.platform.store import replacing

T = TypeVar("T")

_PAUSES = (2.0,)  # seconds between attempts; each holds some of pyarrow's own
_AT_ONCE = 8  # transfers at a time
_FRESH_S = 5.0  # stores tell times in seconds: an object this young may change unnoticed
_CONNECT_S, _SILENCE_S, _ATTEMPTS = 3, 10, 2  # pyarrow's own would let a trial wait for minutes
_GOOGLE_PATIENCE_S = 10.0  # pyarrow would try for a quarter of an hour
_REASONS = {
    "NO_SUCH_BUCKET|Bucket '.*' not found|bucket does not exist": "there is no such bucket",
    "create a OAuth2 access token": "no credentials for it are found",
    "ACCESS_DENIED|FORBIDDEN|INVALID_ACCESS_KEY|SIGNATURE|HTTP 40[13]|PERMISSION|UNAUTHENTICATED": (
        "access denied"
    ),
    "DEADLINE_EXCEEDED": "it does not answer",  # Google's client has waited for two minutes
    "NETWORK_CONNECTION|[Cc]ould ?n[o']t (connect|resolve)": "it cannot be reached",
}


class BucketError(UserError):
    """An object store that does not do what is asked of it."""


@dataclass(frozen=True)
class Stored:
    """An object.

    Attributes:
        size: In bytes.
        mtime: When it was written, in seconds since 1970.
    """

    size: int
    mtime: float


class Bucket:
    """The results at a URI. Keys are relative to it; every call may raise `BucketError`.

    Args:
        uri: ``s3://bucket/prefix``, see `places.normalised`.
    """

    def __init__(self, uri: str) -> None:
        self.uri = uri
        self._files, self._root = self._tried(lambda: _open(uri))

    def require_usable(self) -> None:
        """Prove that files can be written, read and removed."""
        key = f".write-test-{os.getpid()}"
        self.write(key, b"x")
        if self.read(key) != b"x":
            raise BucketError(f"cannot use {self.uri}: what is written cannot be read")
        self.remove([key])

    def listing(self, key: str) -> dict[str, Stored]:
        """List the objects below a key, by their names relative to it."""
        from pyarrow.fs import FileSelector, FileType

        base = self._path(key)
        selector = FileSelector(base, allow_not_found=True, recursive=True)
        found = self._tried(lambda: self._files.get_file_info(selector))
        return {
            info.path.removeprefix(f"{base}/"): Stored(info.size, info.mtime.timestamp())
            for info in found
            if info.type == FileType.File
        }

    def find(self, key: str) -> Stored | None:
        """Look an object up; ``None`` if there is none."""
        info = self._tried(lambda: self._files.get_file_info(self._path(key)))
        return Stored(info.size, info.mtime.timestamp()) if info.is_file else None

    def folders(self) -> list[str]:
        """List the first parts of all keys."""
        from pyarrow.fs import FileSelector, FileType

        if self.uri.startswith("gs:"):  # where pyarrow sees only folders that it has made itself
            return sorted({name.partition("/")[0] for name in self.listing("") if "/" in name})
        selector = FileSelector(self._root, allow_not_found=True)
        found = self._tried(lambda: self._files.get_file_info(selector))
        return [info.base_name for info in found if info.type == FileType.Directory]

    def read(self, key: str) -> bytes | None:
        """Read a small object; ``None`` if there is none."""

        def attempt() -> bytes:
            with self._files.open_input_stream(self._path(key)) as stream:
                return bytes(stream.read())

        try:
            return self._tried(attempt)
        except FileNotFoundError:
            return None

    def write(self, key: str, content: bytes) -> None:
        """Write a small object."""

        def attempt() -> None:
            with self._files.open_output_stream(self._path(key)) as stream:
                stream.write(content)

        try:
            self._tried(attempt)
        except FileNotFoundError as error:  # what Google says
            raise BucketError(f"cannot use {self.uri}: there is no such bucket") from error

    def upload(self, files: Iterable[tuple[Path, str]]) -> None:
        """Copy files to keys, in any order.

        Raises:
            FileNotFoundError: A file is not there.
        """
        from pyarrow.fs import LocalFileSystem

        # Not through a stream of Python's: one that is closed by an error ends its object there.
        self._each(
            lambda file, key: self._copy(
                str(file), LocalFileSystem(), self._path(key), self._files
            ),
            files,
        )

    def download(self, keys: Iterable[tuple[str, Path, Stored]]) -> None:
        """Copy objects to files, which take the time of the object; what is the same is left.

        Raises:
            FileNotFoundError: An object is not there any more.
        """
        self._each(self._fetch, keys)

    def remove(self, keys: Iterable[str]) -> None:
        """Remove objects; it is no mistake if they are gone."""

        def attempt(path: str) -> None:
            try:
                self._files.delete_file(path)
            except FileNotFoundError:
                return

        self._each(lambda key: self._tried(lambda: attempt(self._path(key))), ((k,) for k in keys))

    def remove_folder(self, key: str) -> None:
        """Remove all objects below a key."""
        path = self._path(key)
        self._tried(lambda: self._files.delete_dir_contents(path, missing_dir_ok=True))

    def storage(self, key: str) -> tuple[str, Any]:
        """Give a key as Ray's Tune wants its storage: path and file system."""
        return self._path(key), self._files

    def _fetch(self, key: str, file: Path, stored: Stored) -> None:
        from pyarrow.fs import LocalFileSystem

        if _same(file, stored):
            return
        with replacing(file) as temporary:
            self._copy(self._path(key), self._files, str(temporary), LocalFileSystem())
            if time.time() - stored.mtime > _FRESH_S:
                os.utime(temporary, (stored.mtime, stored.mtime))

    def _copy(self, source: str, source_files: Any, target: str, target_files: Any) -> None:
        from pyarrow.fs import copy_files

        self._tried(
            lambda: copy_files(
                source, target, source_filesystem=source_files, destination_filesystem=target_files
            )
        )

    def _path(self, key: str) -> str:
        return f"{self._root}/{key}".rstrip("/")

    def _each(self, transfer: Callable[..., None], items: Iterable[tuple[Any, ...]]) -> None:
        with ThreadPoolExecutor(_AT_ONCE) as pool:
            list(pool.map(lambda item: transfer(*item), items))

    def _tried(self, attempt: Callable[[], T]) -> T:
        """Make an attempt, and again where it may help.

        Raises:
            FileNotFoundError: What is asked for is not there.
            OSError: This machine is at fault, e.g. its disk is full.
            BucketError: The store is.
        """
        for pause in (*_PAUSES, None):
            try:
                return attempt()
            except FileNotFoundError:
                raise
            except (OSError, ValueError) as error:  # pyarrow's for a malformed URI is a ValueError
                if isinstance(error, OSError) and error.errno is not None:
                    raise
                reason, is_passing = _reason(error)
                if pause is None or not is_passing:
                    raise BucketError(f"cannot use {self.uri}: {reason}") from error
                time.sleep(pause)
        raise AssertionError


def _same(file: Path, stored: Stored) -> bool:
    """Whether a file is the copy of an object, by size and time."""
    try:
        found = file.stat()
    except FileNotFoundError:
        return False
    return found.st_size == stored.size and abs(found.st_mtime - stored.mtime) < 1e-3


def bucket_of(path: Path) -> tuple[Bucket, str] | None:
    """Find the object store that a folder stands for, and the folder's key in it."""
    parts = split(path)
    return None if parts is None else (_bucket(parts[0]), parts[1])


@functools.lru_cache
def _bucket(uri: str) -> Bucket:
    return Bucket(uri)


def _open(uri: str) -> tuple[Any, str]:
    from pyarrow.fs import FileSystem

    files, root = FileSystem.from_uri(uri)
    files = _impatient(uri, files.region) if uri.startswith("s3:") else _google(uri)
    return files, root.rstrip("/")


def _google(uri: str) -> Any:
    """Open Google's store with a limit to how long it may be away."""
    from pyarrow.fs import GcsFileSystem

    options = dict(parse_qsl(urlsplit(uri).query))
    scheme = options.get("scheme", "https")
    patience = float(options.get("retry_limit_seconds", _GOOGLE_PATIENCE_S))
    return GcsFileSystem(
        anonymous=scheme == "http",  # an emulator: credentials are sent over https alone
        endpoint_override=options.get("endpoint_override"),
        scheme=scheme,
        retry_time_limit=timedelta(seconds=patience),
    )


def _impatient(uri: str, region: str) -> Any:
    """Open S3 with limits to how long it may be silent, which a URI cannot set."""
    from pyarrow.fs import AwsStandardS3RetryStrategy, S3FileSystem

    options = dict(parse_qsl(urlsplit(uri).query))
    by_variable = os.environ.get("AWS_ENDPOINT_URL_S3") or os.environ.get("AWS_ENDPOINT_URL")
    return S3FileSystem(
        region=region,
        endpoint_override=options.get("endpoint_override") or by_variable,
        scheme=options.get("scheme", "https"),
        tls_ca_file_path=options.get("tls_ca_file_path"),
        connect_timeout=_CONNECT_S,
        request_timeout=_SILENCE_S,
        retry_strategy=AwsStandardS3RetryStrategy(max_attempts=_ATTEMPTS),
    )


def _reason(error: Exception) -> tuple[str, bool]:
    """Say why the store refused, and whether it may do otherwise in a moment."""
    text = " ".join(str(error).split())
    for pattern, reason in _REASONS.items():
        if re.search(pattern, text):
            return reason, reason == "it cannot be reached"
    return text[:200], isinstance(error, OSError)
