"""Declared hyperparameters: default, meaning, source and allowed range in one place."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Any


@dataclass(frozen=True)
class Hyperparameter:
    """One setting of a method.

    Attributes:
        default: Value used when the user gives none.
        help: What it does, with its unit.
        source: Where the default comes from ("table 3", "app. D.2", "released code").
        low: Smallest allowed number, if any.
        high: Largest allowed number, if any.
        choices: The allowed values, if they are few.
        words: Strings allowed beside numbers in the range, such as ``"auto"``.
    """

    default: Any
    help: str
    source: str = ""
    low: float | None = None
    high: float | None = None
    choices: tuple[Any, ...] | None = None
    words: tuple[str | None, ...] = ()

    def check(self, name: str, value: Any) -> None:
        """Raise ``ValueError`` naming the key, the value and the allowed range if it is outside."""
        if self.choices is not None:
            if value not in self.choices:
                raise ValueError(f"{name}={value!r}: must be one of {_listed(self.choices)}")
            return
        if value in self.words if isinstance(value, str | None) else False:
            return
        if self.low is None and self.high is None:
            return
        if isinstance(value, bool) or not isinstance(value, int | float):
            raise ValueError(f"{name}={value!r}: must be {self.allowed()}")
        too_low = self.low is not None and not value >= self.low
        too_high = self.high is not None and not value <= self.high
        if too_low or too_high:
            raise ValueError(f"{name}={value!r}: must be {self.allowed()}")
        if isinstance(self.default, int) and value != int(value):
            raise ValueError(f"{name}={value!r}: must be a whole number")

    def allowed(self) -> str:
        """The allowed values in words."""
        if self.choices is not None:
            return f"one of {_listed(self.choices)}"
        if self.low is not None and self.high is not None:
            numbers = f"a number from {self.low:g} to {self.high:g}"
        elif self.low is not None:
            numbers = f"a number of at least {self.low:g}"
        elif self.high is not None:
            numbers = f"a number of at most {self.high:g}"
        else:
            return "any value"
        return f"{numbers} or {_listed(self.words)}" if self.words else numbers


def nearest(name: str, valid: Iterable[str]) -> str:
    """Return ``" (did you mean 'x'?)"`` for the valid name closest to ``name``, or ``""``."""
    match = get_close_matches(name, list(valid), n=1)
    return f" (did you mean '{match[0]}'?)" if match else ""


def check_all(declared: Mapping[str, Hyperparameter], values: Mapping[str, Any]) -> None:
    """Check every value; raise ``ValueError`` on the first that is outside its range."""
    for name, hyperparameter in declared.items():
        hyperparameter.check(name, values[name])


def _listed(values: Iterable[Any]) -> str:
    return ", ".join(repr(value) for value in values)
