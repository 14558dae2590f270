"""YAML that remembers its lines, so that an error can name file, key and line."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from expedition.platform.errors import UserError

KeyPath = tuple[str, ...]


class _Loader(yaml.SafeLoader):
    """SafeLoader with the scalars of YAML 1.2: ``1e-3`` is a number, ``no`` and ``on`` are text."""


# PyYAML follows YAML 1.1, where 3e-4 is a string and `no` is false: both are traps in a file of
# learning rates and variant names. The resolvers are stored per first character of the scalar.
_Loader.yaml_implicit_resolvers = {
    first: [(tag, regexp) for tag, regexp in resolvers if not tag.endswith((":float", ":bool"))]
    for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
}
_Loader.add_implicit_resolver(
    "tag:yaml.org,2002:float",
    re.compile(
        r"[-+]?(?:\d[\d_]*\.[\d_]*(?:[eE][-+]?\d+)?|\d[\d_]*[eE][-+]?\d+|\.\d[\d_]*(?:[eE][-+]?\d+)?"
        r"|\.(?:inf|Inf|INF))$|\.(?:nan|NaN|NAN)$"
    ),
    list("-+0123456789."),
)
_Loader.add_implicit_resolver(
    "tag:yaml.org,2002:bool", re.compile(r"true|True|TRUE|false|False|FALSE$"), list("tTfF")
)


class _Dumper(yaml.SafeDumper):
    """SafeDumper that quotes exactly what :class:`_Loader` would not read back as text."""


_Dumper.yaml_implicit_resolvers = _Loader.yaml_implicit_resolvers


@dataclass(frozen=True)
class Document:
    """A parsed YAML file.

    Attributes:
        name: How to call the file in messages, usually its path.
        data: Its top-level mapping.
        lines: Line (from 1) of each key, by its path of keys and list positions.
    """

    name: str
    data: dict[str, Any]
    lines: Mapping[KeyPath, int] = field(default_factory=dict)

    def where(self, path: KeyPath) -> str:
        """Name the place of a key, or of the nearest enclosing key that stands in the file.

        Args:
            path: Keys and list positions from the top, as text.

        Returns:
            ``"file.yaml:12: a.b.c"``, without the line or the key where there is none.
        """
        line = next(
            (self.lines[path[:n]] for n in range(len(path), 0, -1) if path[:n] in self.lines), None
        )
        place = self.name if line is None else f"{self.name}:{line}"
        return f"{place}: {'.'.join(path)}" if path else place


def read(path: Path) -> Document:
    """Read a YAML file whose top level is a mapping.

    Args:
        path: The file.

    Returns:
        The document with the line of every key.

    Raises:
        UserError: The file cannot be read, is not YAML, repeats a key, has one that is a list or
            is not a mapping.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or error
        raise UserError(f"{path}: cannot be read ({reason})") from error
    return parse(text, _shown(path))


def parse(text: str, name: str) -> Document:
    """Parse YAML text whose top level is a mapping; see :func:`read`.

    Raises:
        UserError: The text is not YAML, repeats a key or is not a mapping.
    """
    loader = _Loader(text)
    try:
        node = loader.get_single_node()
        lines = dict(_lines(node, (), name)) if node is not None else {}
        data = loader.construct_document(node) if node is not None else {}
    except yaml.YAMLError as error:
        raise UserError(_syntax(error, name)) from error
    finally:
        loader.dispose()
    if not isinstance(data, dict):
        raise UserError(f"{name}: the top level must be a mapping of keys to values")
    return Document(name, data, lines)


def scalar(text: str) -> Any:
    """Parse a value given on the command line as YAML flow: a number, list, mapping or text.

    Args:
        text: E.g. ``"3e-4"``, ``"[300, 300]"``, ``"{halls: 3}"`` or ``"relu"``.

    Raises:
        UserError: The text is not YAML.
    """
    try:
        # _Loader is a SafeLoader: it builds plain values only.
        return yaml.load(text, Loader=_Loader)
    except yaml.YAMLError as error:
        raise UserError(_syntax(error, repr(text))) from error


def dump(data: Mapping[str, Any]) -> str:
    """Write plain values as YAML that :func:`parse` reads back, equal and in the same order."""
    return yaml.dump(dict(data), Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=100)


def _shown(path: Path) -> str:
    """Name a file as briefly as it can be found from the working directory."""
    inside = path.is_absolute() and path.is_relative_to(Path.cwd())
    return str(path.relative_to(Path.cwd()) if inside else path)


def _syntax(error: yaml.YAMLError, name: str) -> str:
    mark = getattr(error, "problem_mark", None)
    problem = getattr(error, "problem", None) or str(error)
    place = f"{name}:{mark.line + 1}" if mark is not None else name
    return f"{place}: not valid YAML: {problem}"


def _lines(node: yaml.Node, path: KeyPath, name: str) -> Iterator[tuple[KeyPath, int]]:
    """Yield the line of every key below a node; a repeated key would silently hide the first."""
    if isinstance(node, yaml.SequenceNode):
        for position, child in enumerate(node.value):
            yield (*path, str(position)), child.start_mark.line + 1
            yield from _lines(child, (*path, str(position)), name)
    if not isinstance(node, yaml.MappingNode):
        return
    seen: dict[str, int] = {}
    for key, child in node.value:
        line = key.start_mark.line + 1
        if not isinstance(key, yaml.ScalarNode):
            kind = "list" if isinstance(key, yaml.SequenceNode) else "mapping"
            raise UserError(f"{name}:{line}: a key must be a word, not a {kind}")
        here = (*path, str(key.value))
        if key.value in seen and key.value != "<<":
            raise UserError(
                f"{name}:{line}: {'.'.join(here)}: given twice, first in line {seen[key.value]}"
            )
        seen[key.value] = line
        yield here, line
        yield from _lines(child, here, name)
