"""Random bodies, made from the request schemas of Stripe's OpenAPI document.

This module does not use our generated schemas. `tests/data/document_writes.json.gz` holds the request
schemas as they are in the document. The numbers and the security codes of cards are left out, because the check refuses
them.
"""

import gzip
import json
import random
import string
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

from tests.unit.schema.repairs import repair

from paydispatch.domain.stripe.operations import all_operations

Schema = dict[str, Any]

EXTRACT = Path(__file__).parents[2] / "data" / "document_writes.json.gz"
TEXT = string.ascii_letters + string.digits + " -_.,/&=+%?#'\"\\\n\té€漢😀"
DEEPEST = 6

CARD = frozenset({"number", "cvc"})
"""The parameters that the check refuses inside a card. An invoice has a number of its own."""

MAY_BE_EMPTY = frozenset({"city", "footer", "line2", "nickname", "postal_code", "state"})
"""Texts that are neither required nor ids. Stripe takes an empty one."""


@cache
def extract() -> Any:
    """Return the part of the document that is about the operations, in the form of the document."""
    return json.loads(gzip.decompress(EXTRACT.read_bytes()))


@cache
def request_schemas() -> dict[str, Schema]:
    """Return the request schema of each operation that the document has, by the operation's name."""
    return {
        operation.name: schema
        for operation in all_operations()
        for schema in _schemas_at(operation.path, operation.method.lower())
    }


def _schemas_at(path: str, method: str) -> Iterator[Schema]:
    call = extract()["paths"].get(path, {}).get(method, {})
    for media in call.get("requestBody", {}).get("content", {}).values():
        yield media["schema"]


def is_card(schema: Schema) -> bool:
    """Return whether every value of the schema has the number or the security code of a card."""
    if "anyOf" in schema:
        return all(is_card(branch) for branch in schema["anyOf"])
    required, fields = schema.get("required", ()), schema.get("properties", {})
    return any(name in CARD or is_card(fields[name]) for name in required)


class Bodies:
    """A seeded source of bodies of one operation."""

    def __init__(self, operation: str, seed: int) -> None:
        self.random = random.Random(f"{operation} {seed}")
        self.schema = request_schemas()[operation]
        self._operation = operation

    def valid(self) -> Schema:
        """Return a body that the document and the rules across fields allow."""
        body = self._object(self.schema, 0)
        if type(body.get("amount")) is int:
            body["amount"] = self.random.randint(0, 999_999_999_999)
        return repair(self._operation, body)

    def value(self, schema: Schema, name: str = "", depth: int = 0) -> Any:
        if "anyOf" in schema:
            branches = [branch for branch in schema["anyOf"] if not is_card(branch)]
            return self.value(self.random.choice(branches), name, depth)
        if "enum" in schema:
            return self.random.choice(schema["enum"])
        if schema["type"] == "object":
            return self._object(schema, depth, is_metadata=name == "metadata")
        if schema["type"] == "array":
            size = self.random.randint(0, 3)
            return [self.value(schema["items"], name, depth + 1) for _ in range(size)]
        if schema["type"] == "string":
            return self._string(schema, may_be_empty=name in MAY_BE_EMPTY)
        return getattr(self, f"_{schema['type']}")(schema)

    def _object(self, schema: Schema, depth: int, *, is_metadata: bool = False) -> Schema:
        fields, required = schema.get("properties", {}), schema.get("required", ())
        share = 0.5 / (depth + 1) if depth < DEEPEST else 0
        chosen = [
            name
            for name in fields
            if name in required or self.random.random() < share
            if name not in CARD or not depth
            if not is_card(fields[name])
        ]
        body = {
            name: self.value(fields[name], "" if name in required else name, depth + 1)
            for name in chosen
        }
        return body if fields else self._map(schema, depth, is_metadata=is_metadata)

    def _map(self, schema: Schema, depth: int, *, is_metadata: bool) -> Schema:
        values = schema.get("additionalProperties")
        if not isinstance(values, dict):
            return {}
        limits = {"maxLength": 500} if is_metadata else {}
        key_length = 40 if is_metadata else 3
        keys = {self._word(key_length) for _ in range(self.random.choice((0, 1, 3, 50)))}
        return {key: self.value({**values, **limits}, "", depth + 1) for key in sorted(keys)}

    def _string(self, schema: Schema, *, may_be_empty: bool = False) -> str:
        if schema.get("format") == "currency":
            return self.random.choice(("usd", "eur", "jpy", "kwd", "idr", "USD", "Eur"))
        if schema.get("format") == "decimal":
            return self.random.choice(("0", "12", "12.5", "0.000000000001", "99999999.99"))
        longest = schema.get("maxLength", 64)
        shortest = 0 if may_be_empty else 1
        length = self.random.choice((shortest, 1, 7, 20, longest if longest < 600 else 30))
        return "".join(self.random.choices(TEXT, k=min(length, longest)))

    def _integer(self, _: Schema) -> int:
        return self.random.choice((0, 1, 12, 4_102_444_800, self.random.randint(0, 10**8 - 1)))

    def _number(self, _: Schema) -> float:
        return self.random.choice((0, 5, 100, 12.5, 25.0, round(self.random.uniform(0, 100), 4)))

    def _boolean(self, _: Schema) -> bool:
        return self.random.random() < 0.5

    def _word(self, longest: int) -> str:
        length = self.random.randint(1, longest)
        return "".join(self.random.choices(string.ascii_letters + "_ -.é", k=length))
