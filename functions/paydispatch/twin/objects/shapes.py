"""Reads the generated response schemas, makes their empty values, and fits the caller's values into them.

`tools/twin_objects.py` writes these schemas. They have `type` (a name, or a list with "null"), `enum`, `format`
(unix-time, decimal), `properties`, `required` (always present), `items`, and our own `refers`, `embeds`, `list`,
`open`.
"""

from __future__ import annotations

import json
import re
from functools import cache
from importlib.resources import files
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

Schema = dict[str, Any]

_WHOLE_NUMBER = re.compile(r"-?\d{1,18}")
_NUMBER = re.compile(r"-?\d+(\.\d+)?")
_BOOLEANS = {"true": True, "false": False}


class _Unfit:
    """The result for a value that does not fit its field. The field of the answer then keeps its default."""


UNFIT = _Unfit()


def response_schema(kind: str) -> Schema:
    """Return the generated schema of an object's answer. Raises `FileNotFoundError`."""
    schema = known_schema(kind)
    if schema is None:
        raise FileNotFoundError(f"There is no response schema of {kind}. Run `make schemas`.")
    return schema


@cache
def known_schema(kind: str) -> Schema | None:
    """Return the generated schema of an object's answer, or None if there is none."""
    file = files(__package__) / "fresh" / f"{kind.replace('.', '_')}.json"
    return json.loads(file.read_text("utf-8")) if file.is_file() else _others().get(kind)


@cache
def _others() -> dict[str, Schema]:
    """Return the schemas of the objects without a file of their own, by their kind."""
    schemas: dict[str, Schema] = json.loads((files(__package__) / "others.json").read_text("utf-8"))
    return schemas


def types(schema: Schema) -> list[str]:
    declared = schema.get("type", [])
    return [declared] if isinstance(declared, str) else declared


def fresh(schema: Schema, now: int) -> Any:
    """Return the value that Stripe answers for a field that is not set."""
    kinds = types(schema)
    if "null" in kinds or "embeds" in schema:
        return None
    if "enum" in schema:
        return schema["enum"][0]
    if "list" in schema:
        return {"object": "list", "data": [], "has_more": False, "url": schema["url"]}
    if "object" in kinds:
        return fresh_object(schema, now)
    if "array" in kinds:
        return []
    return _fresh_scalar(kinds, schema, now)


def fresh_object(schema: Schema, now: int) -> dict[str, Any]:
    fields = schema.get("properties", {})
    return {name: fresh(fields[name], now) for name in schema.get("required", ())}


def _fresh_scalar(kinds: list[str], schema: Schema, now: int) -> Any:
    if "boolean" in kinds:
        return False
    if "integer" in kinds:
        return now if schema.get("format") == "unix-time" else 0
    if "number" in kinds:
        return 0.0
    return "0" if schema.get("format") == "decimal" else ""


class Fitter:
    """Fits the caller's values into an answer. `embed` returns the object that a schema embeds, by its id."""

    def __init__(self, now: int, embed: Callable[[Schema, str], dict[str, Any]]) -> None:
        self._now = now
        self._embed = embed

    def fit(self, schema: Schema, given: Any) -> Any:
        """Return `given` in the form of the answer, or `UNFIT`."""
        if given in ("", None):
            return fresh(schema, self._now)
        if "embeds" in schema:
            return self._embed(schema, given) if isinstance(given, str) else UNFIT
        if isinstance(given, dict):
            return self._object(schema, given)
        if isinstance(given, list):
            return self._array(schema, given)
        return _fit_scalar(schema, given)

    def _object(self, schema: Schema, given: dict[str, Any]) -> Any:
        if "object" not in types(schema) or "list" in schema:
            return UNFIT
        fields = schema.get("properties")
        if fields is None:
            return given
        fitted = fresh_object(schema, self._now)
        if schema.get("open"):
            fitted.update(given)
        for name in [name for name in fields if name in given]:
            value = self.fit(fields[name], given[name])
            if value is not UNFIT:
                fitted[name] = value
        return fitted

    def _array(self, schema: Schema, given: list[Any]) -> Any:
        if "array" not in types(schema):
            return UNFIT
        fitted = [self.fit(schema["items"], element) for element in given if element != ""]
        return [element for element in fitted if element is not UNFIT]


def _fit_scalar(schema: Schema, given: Any) -> Any:
    if isinstance(given, str):
        given = convert_text(given, types(schema))
    if "enum" in schema and given not in schema["enum"]:
        return UNFIT  # Stripe accepts the value, and answers with the value that it uses instead
    return given if _is_of(given, types(schema)) else UNFIT


def convert_text(text: str, kinds: list[str]) -> Any:
    """Return the boolean or number that a form's text stands for, if `kinds` expects one. Otherwise return the text."""
    if "boolean" in kinds and text in _BOOLEANS:
        return _BOOLEANS[text]
    if "integer" in kinds and _WHOLE_NUMBER.fullmatch(text):
        return int(text)
    if "number" in kinds and _NUMBER.fullmatch(text):
        return float(text)
    return text


def _is_of(value: Any, kinds: list[str]) -> bool:
    if isinstance(value, bool):
        return "boolean" in kinds
    if isinstance(value, int):
        return "integer" in kinds or "number" in kinds
    if isinstance(value, float):
        return "number" in kinds
    return isinstance(value, str) and "string" in kinds
