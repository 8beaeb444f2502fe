"""Make one parameter of a valid body wrong, in one of the ways that the document's schema forbids."""

import json
import random
import re
from collections.abc import Callable, Iterator
from copy import deepcopy
from dataclasses import dataclass
from typing import Any

from tests.unit.schema.bodies import Schema

ANY = ("text", "12", 7, 2.5, 3.0, True, {"a": "b"}, ["x"])
"""One value of each JSON type, and two values that look like another type."""

OPTIONAL_TODAY = {
    "card[exp_month]",
    "card[exp_year]",
    "card[token]",
    "mandate_data[customer_acceptance]",
    "mandate_data[customer_acceptance][online]",
    "mandate_data[customer_acceptance][online][ip_address]",
    "mandate_data[customer_acceptance][online][user_agent]",
    "refunded",
    "trial_settings[end_behavior][missing_payment_method]",
}
"""Parameters that the older version requires, and that the version of today does not."""


LONGER_TODAY = {"card[token]"}
"""Texts that have no limit in the version of today, because a card and a token are one kind of object there."""


@dataclass(frozen=True)
class Fault:
    """One way to make a body wrong."""

    path: tuple[str | int, ...]
    """The path of the parameter that is then wrong."""
    kind: str
    apply: Callable[[Any], None]
    """Change the container of the last step of `path`."""


def spoil(body: Schema, schema: Schema, chance: random.Random) -> tuple[Schema, Fault]:
    """Return a copy of `body` with one fault, and the fault."""
    kinds: dict[str, list[Fault]] = {}
    for fault in _in_object(body, schema, (), chance):
        kinds.setdefault(fault.kind, []).append(fault)
    fault = chance.choice(kinds[chance.choice(sorted(kinds))])
    wrong = deepcopy(body)
    container: Any = wrong
    for step in fault.path[:-1]:
        container = container[step]
    fault.apply(container)
    return wrong, fault


Path = tuple[str | int, ...]


def _in_object(body: Schema, schema: Schema, path: Path, chance: random.Random) -> Iterator[Fault]:
    fields = schema.get("properties")
    if fields is not None:
        name = _unknown_name(fields, chance)
        yield Fault((*path, name), "unknown name", set_item(name, "x"))
    for name in (name for name in schema.get("required", ()) if name in body):
        yield Fault((*path, name), "missing required", remove_item(name))
    for name, value in body.items():
        part = (fields or {}).get(name) or schema.get("additionalProperties")
        if isinstance(part, dict):  # else the value is of another branch
            yield from _in_value(value, part, (*path, name), chance)


def _in_value(value: Any, schema: Schema, path: Path, chance: random.Random) -> Iterator[Fault]:
    branches = schema.get("anyOf", [schema])
    wrong = [
        other
        for other in (*ANY, "not_one_of_these")
        if not any(_has_wire_form(other, branch) for branch in branches)
    ]
    strings = [branch for branch in branches if branch["type"] == "string"]
    enums = bool(strings) and all("enum" in branch for branch in strings)
    unsets = enums and all(branch["enum"] == [""] for branch in strings)
    # The wire form of a scalar is a text. Therefore each scalar is a wrong value of an enumeration, and no wrong type.
    values = [other for other in wrong if enums and not isinstance(other, dict | list)]
    shapes = wrong if unsets else [other for other in wrong if other not in values]
    yield Fault(path, "wrong type", set_item(path[-1], chance.choice(shapes)))
    if enums:
        kind = "text that does not unset" if unsets else "bad enum"
        yield Fault(path, kind, set_item(path[-1], chance.choice(values)))
    elif strings and all("maxLength" in branch or "enum" in branch for branch in strings):
        longest = max(branch.get("maxLength", 0) for branch in strings)
        yield Fault(path, "too long", set_item(path[-1], "é" * (longest + 1)))
    yield from _below(value, branches, path, chance)


def _below(
    value: Any, branches: list[Schema], path: Path, chance: random.Random
) -> Iterator[Fault]:
    for branch in branches:
        if branch["type"] == "object" and isinstance(value, dict):
            yield from _in_object(value, branch, path, chance)
        if branch["type"] == "array" and isinstance(value, list):
            for index, entry in enumerate(value):
                yield from _in_value(entry, branch["items"], (*path, index), chance)


def _has_wire_form(value: Any, schema: Schema) -> bool:
    """Return whether the value's text on the wire is one of the schema's type, or the value is its container."""
    kind = schema["type"]
    if isinstance(value, dict | list):
        return isinstance(value, {"object": dict, "array": list}.get(kind, ()))
    text = json.dumps(value) if not isinstance(value, str) else value
    if kind == "string" and "enum" in schema:
        return text in schema["enum"]
    if kind == "string" and "format" not in schema:
        return len(text) <= schema.get("maxLength", 5000)
    pattern = _WIRE_FORMS.get(schema.get("format", "") if kind == "string" else kind)
    return pattern is not None and re.fullmatch(pattern, text) is not None


_WIRE_FORMS = {
    "integer": "-?[0-9]+",
    "number": r"-?[0-9]+(\.[0-9]+)?",
    "decimal": r"-?[0-9]+(\.[0-9]+)?",
    "boolean": "true|false",
}


def _unknown_name(fields: Schema, chance: random.Random) -> str:
    """Return a misspelt name of a field, or any name if there are no fields."""
    real = chance.choice(sorted(fields) or ["nothing"])
    return f"{real[:-1]}{real[-1]}{chance.choice('qxz')}_"


def set_item(key: Any, value: Any) -> Callable[[Any], None]:
    return lambda container: container.__setitem__(key, value)


def remove_item(key: Any) -> Callable[[Any], None]:
    return lambda container: container.__delitem__(key)
