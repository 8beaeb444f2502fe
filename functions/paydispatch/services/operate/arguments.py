"""Read the arguments of an operator's command. An invalid one raises `InvalidField`, which names the argument."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeVar

from paydispatch.domain.errors import InvalidField

MOST_CHARACTERS = 1_024
"""The longest text. Names of workers, contexts and tenants are shorter."""

UNKNOWN_CALLER = "unknown"

Value = TypeVar("Value")
Parse = Callable[[Any], Value]
"""Returns the value. Raises `ValueError` with the rest of a sentence that begins with the argument's name."""


class Arguments:
    """The arguments of one command."""

    def __init__(self, given: Mapping[str, Any], *, caller: str = UNKNOWN_CALLER) -> None:
        """`caller` is the name of the person or program that asks."""
        self._given = given
        self.caller = caller
        self.known: dict[str, Any] = {}
        """The arguments that were read and are valid."""
        self._asked: list[str] = []

    def optional(self, name: str, parse: Parse[Value]) -> Value | None:
        """Return an argument, or None if it is absent or null."""
        self._asked.append(name)
        given = self._given.get(name)
        if given is None:
            return None
        try:
            value = parse(given)
        except ValueError as error:
            raise InvalidField(name, f"{name}: {error}.") from None
        self.known[name] = given
        return value

    def required(self, name: str, parse: Parse[Value]) -> Value:
        value = self.optional(name, parse)
        if value is None:
            raise InvalidField(name, f"{name} is missing.", code="parameter_missing")
        return value

    def flag(self, name: str) -> bool:
        return self.optional(name, flag) or False

    def end(self) -> None:
        """Raise `InvalidField` for an argument that was not read, because to ignore `dry_run` would do the work."""
        for name in self._given:
            if name not in self._asked:
                takes = ", ".join(self._asked) or "none"
                raise InvalidField(
                    str(name)[:64],
                    f"{str(name)[:64]!r} is not an argument of this command. It takes {takes}.",
                )


def text(value: Any) -> str:
    if not isinstance(value, str) or not 0 < len(value) <= MOST_CHARACTERS:
        raise ValueError(f"it must be a text of 1 to {MOST_CHARACTERS} characters")
    return value


def texts(value: Any) -> list[str]:
    if not isinstance(value, list) or not value:
        raise ValueError("it must be a list of texts")
    return [text(each) for each in value]


def flag(value: Any) -> bool:
    if not isinstance(value, bool):
        raise ValueError("it must be true or false")
    return value


def count(value: Any) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or value < 1:
        raise ValueError("it must be a whole number above 0")
    return value


def amount(value: Any) -> float:
    """Return a number from 0, such as an age in seconds."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise ValueError("it must be a number")
    if not math.isfinite(value) or value < 0:
        raise ValueError("it must be a number from 0")
    return float(value)


def positive(value: Any) -> float:
    if (number := amount(value)) == 0:
        raise ValueError("it must be a number above 0")
    return number


def one_of(words: Sequence[str]) -> Parse[str]:
    def parse(value: Any) -> str:
        if value not in words:
            raise ValueError(f"it must be one of {', '.join(words)}")
        return str(value)

    return parse
