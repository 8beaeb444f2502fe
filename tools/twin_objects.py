"""Write what the twin knows of Stripe's answers: a response schema per object. By `make schemas`.

    python tools/twin_objects.py SOURCES

SOURCES is where the packages of `schemas/requirements.txt` were unpacked. Driven by the table of
objects: a new row needs no change here.

A file is a JSON Schema of the object, cut down to what the twin needs. Four keywords are ours:
`refers` (the id of such an object, expandable), `embeds` (one in full), `list` (of such elements),
`open` (it has more fields than are described).
"""

import json
import sys
from collections.abc import Sequence
from pathlib import Path

from schemas.document import Schema, read_document

from paydispatch.domain.resources import RESOURCES

DEPTH = 3
"""Levels of nesting that are described in full; deeper, only what is never absent, and `open`."""

LARGEST_ENUM = 8
"""Longer ones (locales, payment methods) cost more than they help: the twin only echoes them."""

OURS = {row.name for row in RESOURCES}
"""Objects that have a file of their own."""

OUTPUT = Path(__file__).parents[1] / "functions/paydispatch/twin/objects/fresh"


def main(sources: Path) -> None:
    shapes = Shapes(read_document(sources)["components"]["schemas"])
    for row in RESOURCES:
        text = _one_field_a_line(shapes.of_object(row.name))
        (OUTPUT / f"{row.identifier}.json").write_text(text, encoding="utf-8")


def _one_field_a_line(schema: Schema) -> str:
    """The difference of two versions then reads as a list of changed fields."""
    fields = ",\n".join(
        f"{json.dumps(name)}:{_compact(field)}" for name, field in schema["properties"].items()
    )
    required = _compact(schema["required"])
    return f'{{"type":"object","required":{required},"properties":{{\n{fields}\n}}}}\n'


def _compact(value: object) -> str:
    return json.dumps(value, separators=(",", ":"))


class Shapes:
    """Stripe's response schemas: references resolved, and everything but the shape left out."""

    def __init__(self, components: dict[str, Schema]) -> None:
        self._components = components

    def of_object(self, name: str) -> Schema:
        return self._object(self._components[name], depth=0)

    def _shape(self, schema: Schema, depth: int) -> Schema:
        shape = self._not_null(schema, depth)
        if schema.get("nullable"):
            shape = {**shape, "type": [shape["type"], "null"]}
            if "enum" in shape:
                shape["enum"] = [*shape["enum"], None]
        return shape

    def _not_null(self, schema: Schema, depth: int) -> Schema:
        if "x-expansionResources" in schema:
            return {"type": "string", "refers": _expands_to(schema)}
        if "$ref" in schema:
            return self._referenced(_name(schema["$ref"]), depth)
        if "anyOf" in schema:
            return self._not_null(schema["anyOf"][0], depth)
        if schema.get("type") == "array":
            return {"type": "array", "items": self._shape(schema["items"], depth)}
        if schema.get("type") == "object":
            return self._object(schema, depth)
        return _scalar(schema)

    def _referenced(self, name: str, depth: int) -> Schema:
        target = self._components[name]
        if "x-resourceId" not in target or "id" not in target.get("properties", {}):
            return self._not_null(target, depth)
        if name in OURS:
            return {"type": "object", "embeds": name}
        return {**self._open(target["properties"], target["required"], depth), "embeds": name}

    def _object(self, schema: Schema, depth: int) -> Schema:
        fields = schema.get("properties", {})
        if not fields:
            return {"type": "object"}
        if fields.get("object", {}).get("enum") == ["list"]:
            return self._list(fields, depth)
        if depth >= DEPTH:
            return self._open(fields, schema.get("required", ()), depth)
        properties = {name: self._shape(field, depth + 1) for name, field in fields.items()}
        required = _always_there(schema)
        return {"type": "object", "required": required, "properties": properties}

    def _open(self, fields: Schema, required: Sequence[str], depth: int) -> Schema:
        """An object of which only the fields it cannot lack are described."""
        needed = {
            name: self._shape(fields[name], depth + 1)
            for name in required
            if not fields[name].get("nullable")
        }
        if not needed:
            return {"type": "object"}
        return {"type": "object", "required": list(needed), "properties": needed, "open": True}

    def _list(self, fields: Schema, depth: int) -> Schema:
        """A list inside an object, such as a subscription's items; its elements in full."""
        items = fields["data"]["items"]
        element = self._components[_name(items["$ref"])] if "$ref" in items else {}
        url = fields["url"].get("pattern", "/v1").removeprefix("^")
        return {"type": "object", "list": self._object(element, depth), "url": url}


def _scalar(schema: Schema) -> Schema:
    shape: Schema = {"type": schema.get("type", "string")}
    if schema.get("format") == "unix-time":
        shape["format"] = "unix-time"
    if 0 < len(schema.get("enum", ())) <= LARGEST_ENUM:
        shape["enum"] = schema["enum"]
    return shape


def _always_there(schema: Schema) -> list[str]:
    """Stripe sends a nullable field as null; only what is neither required nor that may lack."""
    required = schema.get("required", ())
    fields = schema["properties"].items()
    return [name for name, field in fields if name in required or field.get("nullable")]


def _expands_to(schema: Schema) -> str:
    return _name(schema["x-expansionResources"]["oneOf"][0]["$ref"])


def _name(reference: str) -> str:
    return reference.rsplit("/", 1)[1]


if __name__ == "__main__":
    main(Path(sys.argv[1]))
