"""From Stripe's response schemas to the twin's."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

ANSWER = {"content": {"application/json": {"schema": {"$ref": "#/components/schemas/charge"}}}}
TOOLS = Path(__file__).parents[3] / "tools"
PRICE = {"$ref": "#/components/schemas/price"}


@pytest.fixture
def shape(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Return a function that makes the twin's schema of an object with this field."""
    monkeypatch.syspath_prepend(str(TOOLS))
    from twin_objects import Shapes

    price = {"x-resourceId": "price", "required": ["id"], "properties": {"id": {"type": "string"}}}
    deep = {"type": "object", "required": ["a"], "properties": {"a": {"type": "integer"}, "b": {}}}

    def of(field: dict[str, Any]) -> Any:
        components = {"price": price, "deep": deep, "thing": {"properties": {"field": field}}}
        return Shapes(components).of_object("thing")

    return of


@pytest.mark.parametrize(
    ("field", "wanted"),
    [
        ({"type": "string", "maxLength": 9, "description": "…"}, {"type": "string"}),
        ({"type": "integer", "format": "unix-time"}, {"type": "integer", "format": "unix-time"}),
        (
            {"type": "string", "enum": ["a"], "nullable": True},
            {"type": ["string", "null"], "enum": ["a", None]},
        ),
        (
            {"anyOf": [{"type": "string"}, PRICE], "x-expansionResources": {"oneOf": [PRICE]}},
            {"type": "string", "refers": "price"},
        ),
        (PRICE, {"type": "object", "embeds": "price"}),
        (
            {"type": "array", "items": PRICE},
            {"type": "array", "items": {"type": "object", "embeds": "price"}},
        ),
    ],
)
def test_a_field_keeps_only_its_shape(shape: Any, field: dict[str, Any], wanted: object) -> None:
    assert shape(field)["properties"]["field"] == wanted


def test_a_nullable_field_is_required_and_an_optional_one_is_not(shape: Any) -> None:
    assert shape({"type": "string", "nullable": True})["required"] == ["field"]
    assert shape({"type": "string"})["required"] == []


def test_deep_inside_only_required_fields_are_described(shape: Any) -> None:
    field: dict[str, Any] = {"$ref": "#/components/schemas/deep"}
    for _ in range(2):
        field = {"type": "object", "properties": {"field": field}}
    inner = shape(field)["properties"]["field"]["properties"]["field"]["properties"]["field"]
    assert inner == {
        "type": "object",
        "required": ["a"],
        "properties": {"a": {"type": "integer"}},
        "open": True,
    }


def test_the_addresses_of_an_object_come_from_the_paths_that_answer_it_by_its_id(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.syspath_prepend(str(TOOLS))
    from twin_objects import read_addresses

    union = {"anyOf": [{"$ref": "#/components/schemas/card"}]}
    source = {"content": {"application/json": {"schema": {"$ref": "#/components/schemas/source"}}}}
    paths = {
        "/v1/charges/{charge}": {"get": {"responses": {"200": ANSWER}}},
        "/v1/charges/{charge}/capture": {"post": {"responses": {"200": ANSWER}}},
        "/v1/customers/{customer}/sources/{id}": {"get": {"responses": {"200": source}}},
    }
    components = {"charge": {}, "source": union, "card": {}}
    document = {"paths": paths, "components": {"schemas": components}}
    assert read_addresses(document, {"charge", "card"}) == {
        "/v1/charges": ["charge"],
        "/v1/customers/{customer}/sources": ["card"],
    }
