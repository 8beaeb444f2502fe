"""Turn the schema of JSON values into the schema of their wire forms.

A form body holds text only. Stripe reads `2000` and `"2000"` as the same integer, because both are the text `2000` on
the wire. Therefore the check judges each scalar by that text: an integer is a text of digits, and a boolean is the text
`true` or `false`. An object stays an object, and an array stays an array.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from paydispatch.domain.form_encoding import text_of

if TYPE_CHECKING:
    from collections.abc import Mapping

JSON_TYPE = "x-json-type"
"""The keyword that keeps the JSON type of a scalar for the messages. The engine ignores it."""

_FORMS: Mapping[str, Mapping[str, Any]] = {
    "integer": {"type": "string", "pattern": "^-?[0-9]{1,309}$"},
    "number": {"type": "string", "pattern": r"^[+-]?([0-9]+(\.[0-9]*)?|\.[0-9]+)$"},
    "boolean": {"type": "string", "enum": ["true", "false"]},
}


def wire_schema(schema: Mapping[str, Any]) -> dict[str, Any]:
    """Return the schema of the wire forms of everything that `schema` allows, and of nothing else."""
    node = {keyword: _wire_keyword(keyword, value) for keyword, value in schema.items()}
    form = _FORMS.get(schema.get("type", ""))
    return node if form is None else {**node, **form, JSON_TYPE: schema["type"]}


def _wire_keyword(keyword: str, value: Any) -> Any:
    if keyword in ("properties", "$defs"):
        return {name: wire_schema(part) for name, part in value.items()}
    if keyword in ("items", "additionalProperties") and isinstance(value, dict):
        return wire_schema(value)
    if keyword in ("anyOf", "oneOf", "allOf"):
        return [wire_schema(branch) for branch in value]
    if keyword == "enum":
        return [text_of(option) for option in value]
    return value
