"""Rich parameters of an operation, made from its schema: every field that a body can have, in the types of a program.

The same operation always has the same parameters. Times are `datetime`s, decimals are `Decimal`s, and texts have the
signs that a form must quote. The parameters are those of Stripe's version of today.
"""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from tests.unit.schema.bodies import CARD
from tests.unit.schema.repairs import repair

from paydispatch.domain.parameters.check import parameter_schema
from paydispatch.domain.parameters.versions import of_today

if TYPE_CHECKING:
    from collections.abc import Mapping

    from paydispatch.domain.stripe.operations import Operation

DEEPEST_PAIR = 2
"""Down to this depth a list has two elements. Below it has one, so that a body stays small."""

TEXT = "é=1&b 7%+[ü]/?#"
METADATA = {"order": "1001", "a&b c": TEXT, "é": ""}
CURRENCIES = ("eur", "jpy")
EXPAND = ["customer", "data.customer"]

OF_FORMAT: Mapping[str, Any] = {
    "currency": "usd",
    "decimal": Decimal("12.50"),
    "unix-time": datetime(2030, 1, 1, 12, 30, tzinfo=UTC),
}


def rich_params(operation: Operation) -> dict[str, Any]:
    """Return parameters that the check accepts without a warning."""
    schema = of_today(parameter_schema(operation.name))
    return repair(operation.name, _Rich(schema.get("$defs", {})).object_of(schema, 0))


class _Rich:
    """Makes values from the schemas of one operation. `shared` are their definitions by name."""

    def __init__(self, shared: Mapping[str, Any]) -> None:
        self._shared = shared
        self._booleans = 0

    def object_of(self, schema: Mapping[str, Any], depth: int) -> dict[str, Any]:
        fields = schema.get("properties")
        if fields is None:
            return self._map_of(schema, depth)
        return {
            name: self._value(part, name, depth + 1)
            for name, part in fields.items()
            if not (depth and name in CARD)
            if not self._is_card(part)
        }

    def _map_of(self, schema: Mapping[str, Any], depth: int) -> dict[str, Any]:
        values = schema.get("additionalProperties")
        if "propertyNames" in schema:  # metadata
            return dict(METADATA)
        if not isinstance(values, dict):
            return {"a": TEXT}
        return {name: self._value(values, "", depth + 1) for name in CURRENCIES}

    def _value(self, schema: Mapping[str, Any], name: str, depth: int) -> Any:
        schema = self._richest(self._resolve(schema))
        if "enum" in schema or "const" in schema:
            return schema["enum"][-1] if "enum" in schema else schema["const"]
        if name == "expand":
            return list(EXPAND)
        match schema["type"]:
            case "object":
                return self.object_of(schema, depth)
            case "array":
                size = 2 if depth <= DEEPEST_PAIR else 1
                return [self._value(schema["items"], "", depth + 1) for _ in range(size)]
            case "boolean":
                self._booleans += 1
                return self._booleans % 2 == 0
            case "string" if "format" not in schema:
                return TEXT[: schema.get("maxLength", len(TEXT))]
        return OF_FORMAT.get(schema.get("format", ""), 12.5 if schema["type"] == "number" else 12)

    def _resolve(self, schema: Mapping[str, Any]) -> Mapping[str, Any]:
        while "$ref" in schema:
            schema = self._shared[schema["$ref"].rpartition("/")[2]]
        return schema

    def _richest(self, schema: Mapping[str, Any]) -> Mapping[str, Any]:
        """Return the alternative with the most structure. An empty text that unsets a field has the least."""
        if "anyOf" not in schema:
            return schema
        branches = [self._resolve(part) for part in schema["anyOf"] if not self._is_card(part)]
        return self._richest(min(branches, key=_rank))

    def _is_card(self, schema: Mapping[str, Any]) -> bool:
        """Return whether every value of the schema has the number or the security code of a card."""
        schema = self._resolve(schema)
        if "anyOf" in schema:
            return all(self._is_card(part) for part in schema["anyOf"])
        needed, fields = schema.get("required", ()), schema.get("properties", {})
        return any(name in CARD or self._is_card(fields[name]) for name in needed)


def _rank(schema: Mapping[str, Any]) -> int:
    ranks = (
        schema.get("type") == "object",
        schema.get("type") == "array",
        "format" in schema,
        "type" in schema or "anyOf" in schema,
        "enum" in schema,
        True,
    )
    return ranks.index(True)
