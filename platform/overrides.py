"""``--set a.b=value``: change any field of an experiment from the command line."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from expedition.platform import yamlfile
from expedition.platform.errors import UserError
from expedition.platform.yamlfile import KeyPath


@dataclass(frozen=True)
class Override:
    """One ``--set`` option.

    Attributes:
        path: Keys from the top of the experiment; list positions as text.
        value: The parsed value.
    """

    path: KeyPath
    value: Any

    @property
    def dotted(self) -> str:
        """The key as it was typed."""
        return ".".join(self.path)


def parse(text: str) -> Override:
    """Parse ``a.b=value``; the value is read as YAML, so lists and mappings work.

    Args:
        text: E.g. ``"variants.smm.config.alpha=3e-4"``.

    Raises:
        UserError: There is no ``=``, a key is empty, or the value is not YAML.
    """
    key, separator, value = text.partition("=")
    path = tuple(part.strip() for part in key.split("."))
    if not separator or not all(path):
        raise UserError(f"--set {text}: write key=value, e.g. --set config.alpha=0.1")
    return Override(path, yamlfile.scalar(value))


def parse_seeds(text: str) -> int | tuple[int, ...]:
    """Parse ``--seeds``: a count (``4``) or a list of seeds (``0,3,5``).

    Raises:
        UserError: Not whole numbers, or not one or more of them.
    """
    try:
        numbers = tuple(int(part) for part in text.split(","))
    except ValueError as error:
        raise UserError(f"--seeds {text}: give a count (4) or a list (0,3,5)") from error
    if min(numbers) < (0 if len(numbers) > 1 else 1):
        raise UserError(f"--seeds {text}: must be at least 1")
    return numbers if len(numbers) > 1 else numbers[0]


def apply(data: Mapping[str, Any], overrides: Sequence[Override]) -> dict[str, Any]:
    """Set each override in the merged settings of an experiment, in order.

    A common algorithm setting (``config.x``) also wins over variants that set ``x`` themselves:
    what is typed last is what runs.

    Args:
        data: Settings with the preset merged in.
        overrides: Options in the order they were typed.

    Returns:
        New settings; containers along the changed paths are copied.

    Raises:
        UserError: A path runs through something that has no keys, or an environment setting is
            one that every task sets for itself.
    """
    merged = dict(data)
    for override in overrides:
        merged = _set(merged, override.path, override)
        variants = merged.get("variants")
        if override.path[0] == "config" and isinstance(variants, Mapping):
            merged["variants"] = {
                name: _without(variant, override.path) for name, variant in variants.items()
            }
        if override.path[0] == "env_config" and len(override.path) > 1:
            _refuse_hidden(merged.get("tasks"), override)
    return merged


def _set(node: Any, path: KeyPath, override: Override) -> Any:
    """Return a copy of the node with the value at the path replaced."""
    if not path:
        return override.value
    head, rest = path[0], path[1:]
    if isinstance(node, Mapping) or node is None:
        children = dict(node or {})
        children[head] = _set(children.get(head), rest, override)
        return children
    if isinstance(node, list | tuple) and head.isdigit() and int(head) < len(node):
        items = list(node)
        items[int(head)] = _set(items[int(head)], rest, override)
        return items
    raise UserError(f"--set {override.dotted}: there is nothing named '{head}' to set")


def _without(node: Any, path: KeyPath) -> Any:
    """Return a copy of the node without the key at the path; unchanged where there is none."""
    if not isinstance(node, Mapping) or path[0] not in node:
        return node
    if len(path) == 1:
        return {key: value for key, value in node.items() if key != path[0]}
    return {**node, path[0]: _without(node[path[0]], path[1:])}


def _refuse_hidden(tasks: Any, override: Override) -> None:
    """Refuse a common environment setting that a task would silently win over."""
    key = override.path[1]
    hiding = [
        name for name, task in (tasks or {}).items() if isinstance(task, Mapping) and key in task
    ]
    if hiding:
        raise UserError(
            f"--set {override.dotted}: the tasks set '{key}' themselves; "
            f"use --set tasks.{hiding[0]}.{key}=..."
        )


def flatten(settings: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    """Yield nested settings with dotted keys, the way ``--set`` writes them."""
    for key, value in settings.items():
        if isinstance(value, Mapping) and value:
            yield from flatten(value, f"{prefix}{key}.")
        else:
            yield f"{prefix}{key}", value
