"""Reads `expandable.json`: the fields of Stripe's answers of today that hold objects or the ids of objects.

`tools/twin_expandable.py` writes it, and its docstring describes the values.
"""

from __future__ import annotations

import json
from functools import cache
from importlib.resources import files
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator

Fields = dict[str, Any]
"""The value of each field: a kind, several kinds, the fields of an object inside, or None."""


def fields_of(kind: str) -> Fields:
    """Return the fields of an object. One that the library does not describe has none."""
    return _kinds().get(kind, {})


def kinds_in(value: Any) -> list[str]:
    """Return the kinds that a field can hold, by its value."""
    if isinstance(value, str):
        return [value]
    return value if isinstance(value, list) else []


def references(answer: Any, value: Any) -> Iterator[tuple[list[str], Any]]:
    """Yield each id and each embedded object in `answer`, with the kinds that it may have.

    `value` is the value of the field that holds the answer, or the kind of the answer itself.
    """
    if isinstance(answer, list):
        for element in answer:
            yield from references(element, value)
        return
    kinds = kinds_in(value)
    if kinds and answer is not None:
        yield kinds, answer
    if isinstance(answer, dict):
        fields = value if isinstance(value, dict) else _kinds().get(answer.get("object", ""), {})
        for name in answer.keys() & fields.keys():
            if fields[name] is not None:
                yield from references(answer[name], fields[name])


@cache
def _kinds() -> dict[str, Fields]:
    text = (files(__package__) / "expandable.json").read_text("utf-8")
    kinds: dict[str, Fields] = json.loads(text)
    return kinds
