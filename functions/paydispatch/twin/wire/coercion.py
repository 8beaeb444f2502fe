"""Converts the strings of a form to the types of Stripe's parameter schema.

A value that fits no type of the schema stays a string, so that the validation refuses it.
"""

from __future__ import annotations

from typing import Any

from paydispatch.twin.objects.shapes import convert_text, types

Schema = dict[str, Any]


class FormReader:
    """Converts nested form values by one JSON Schema."""

    def __init__(self, schema: Schema) -> None:
        self._schema = schema
        self._shared = schema.get("$defs", {})

    def read(self, nested: dict[str, Any]) -> dict[str, Any]:
        read: dict[str, Any] = self._value(nested, self._schema)
        return read

    def _value(self, value: Any, schema: Schema) -> Any:
        candidates = self._candidates(schema)
        if isinstance(value, str):
            return self._text(value, candidates)
        if isinstance(value, list):
            return self._array(value, candidates)
        return self._container(value, candidates)

    def _candidates(self, schema: Schema) -> list[Schema]:
        """Return the alternatives of a schema, with references resolved."""
        if "$ref" in schema:
            return self._candidates(self._shared[schema["$ref"].rsplit("/", 1)[1]])
        branches = schema.get("anyOf")
        if branches is None:
            return [schema]
        return [found for branch in branches for found in self._candidates(branch)]

    def _text(self, text: str, candidates: list[Schema]) -> Any:
        if any(candidate.get("format") == "currency" for candidate in candidates):
            return text.lower()  # Stripe takes capitals, and answers in lower case
        for candidate in candidates:
            value = convert_text(text, types(candidate))
            if not isinstance(value, str):
                return value
        return text

    def _array(self, values: list[Any], candidates: list[Schema]) -> list[Any]:
        items: Schema = next((c["items"] for c in candidates if "items" in c), {})
        return [self._value(value, items) for value in values]

    def _container(self, values: dict[str, Any], candidates: list[Schema]) -> Any:
        is_array = any("array" in types(candidate) for candidate in candidates)
        if is_array and all(name.isdecimal() for name in values):
            ordered = [values[name] for name in sorted(values, key=int)]
            return self._array(ordered, candidates)
        schema = next((c for c in candidates if "object" in types(c)), {})
        return {name: self._value(value, _field(schema, name)) for name, value in values.items()}


def _field(schema: Schema, name: str) -> Schema:
    found = schema.get("properties", {}).get(name)
    if found is None:
        found = schema.get("additionalProperties")
    return found if isinstance(found, dict) else {}
