"""The generated response schemas: a fresh value for each, and the caller's values fitted into it.

A schema here is what `tools/twin_objects.py` writes: `type` (a name, or a list with "null"),
`enum`, `format: unix-time`, `properties`, `required` (always present), `items`, and our own
`refers`, `embeds`, `list`.
"""

from __future__ import annotations

import json
import re
from functools import cache
from importlib.resources import files
from typing import Any

Schema = dict[str, Any]

_WHOLE_NUMBER = re.compile(r"-?\d{1,18}")
_NUMBER = re.compile(r"-?\d+(\.\d+)?")
_BOOLEANS = {"true": True, "false": False}


class _Unfit:
    """The caller's value has another shape than the answer's field, which keeps its default."""


UNFIT = _Unfit()


@cache
def response_schema(identifier: str) -> Schema:
    """Return the generated schema of an object's answer, read once."""
    text = (files(__package__) / "objects" / f"{identifier}.json").read_text("utf-8")
    schema: Schema = json.loads(text)
    return schema


def types(schema: Schema) -> list[str]:
    declared = schema.get("type", [])
    return [declared] if isinstance(declared, str) else declared


def fresh(schema: Schema, now: int) -> Any:
    """Return what Stripe answers for a field nobody has set."""
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
    return 0.0 if "number" in kinds else ""


def fit(schema: Schema, given: Any, now: int) -> Any:
    """Return `given` as the answer shows it, or `UNFIT`, as for lists and embedded objects."""
    if given in ("", None):
        return fresh(schema, now)
    if "list" in schema or "embeds" in schema:
        return UNFIT
    if isinstance(given, dict):
        return _fit_object(schema, given, now)
    if isinstance(given, list):
        return _fit_array(schema, given, now)
    return _fit_scalar(schema, given)


def _fit_object(schema: Schema, given: dict[str, Any], now: int) -> Any:
    if "object" not in types(schema):
        return UNFIT
    fields = schema.get("properties")
    if fields is None:
        return given
    fitted = fresh_object(schema, now)
    for name in given.keys() & fields.keys():
        value = fit(fields[name], given[name], now)
        if value is not UNFIT:
            fitted[name] = value
    return fitted


def _fit_array(schema: Schema, given: list[Any], now: int) -> Any:
    if "array" not in types(schema):
        return UNFIT
    fitted = [fit(schema["items"], element, now) for element in given]
    return [element for element in fitted if element is not UNFIT]


def _fit_scalar(schema: Schema, given: Any) -> Any:
    if isinstance(given, str):
        given = typed(given, types(schema))
    return given if _is_of(given, types(schema)) else UNFIT


def typed(text: str, kinds: list[str]) -> Any:
    """Return the value a form's text stands for where one of `kinds` is expected, else the text."""
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
