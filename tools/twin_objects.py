"""Generates the twin's response schema of each object from the document and the library. `make schemas` runs it.

    python tools/twin_objects.py SOURCES

It runs after `twin_answers.py` and `twin_expandable.py`. Any other object that an operation answers gets a schema in
`others.json`, and so does one that an `expand` can reach and that Stripe answers at an address of its own. These
addresses are in `addresses.json`.

SOURCES is the folder with the unpacked packages of `schemas/requirements.txt`. The objects come from the table of
objects, so that a new row needs no change here.

A file is a JSON Schema of the object with only the keywords that the twin needs. Four keywords are ours: `refers` (the
expandable id of another object), `embeds` (another object in full), `list` (a list of such elements), and `open` (the
object has more fields than the schema describes).
"""

import json
import sys
from collections.abc import Collection, Iterator, Mapping, Sequence
from pathlib import Path

from schemas.answers import all_fields, nullable_fields
from schemas.document import Schema, read_document
from twin_answers import addresses_of_library, answered, library_modules, read_answers

from paydispatch.domain.stripe.resources import RESOURCES

DEPTH = 3
"""The levels of nesting with all fields. A deeper object has only its required fields, and `open`."""

DEPTH_OF_OTHERS = 2
"""The same for an object without a file of its own, so that their one file stays small."""

BARE: Schema = {
    "type": "object",
    "required": ["id", "object"],
    "properties": {"id": {"type": "string"}, "object": {"type": "string"}},
}
"""The schema of an object that neither the document nor the library describes, such as a refund at a terminal."""

LARGEST_ENUM = 8
"""The most values that an enumeration keeps. The twin only echoes longer ones (locales, payment methods)."""

OURS = {row.name for row in RESOURCES}
"""The objects with a file of their own."""

OBJECTS = Path(__file__).parents[1] / "functions/paydispatch/twin/objects"
OUTPUT = OBJECTS / "fresh"
STEPS = 2
"""The references from one of our objects to the farthest object that gets a schema."""


def main(sources: Path) -> None:
    document = read_document(sources)
    shapes = Shapes(document["components"]["schemas"])
    for row in RESOURCES:
        today = nullable_fields(sources, row.name)
        _write(OUTPUT, row.name, _with_new_fields(shapes.of_object(row.name), today))
    answers = read_answers()
    answering = {kind for kinds in answers.values() for kind in kinds}
    found = read_addresses(document, (answering | _reached()) - OURS)
    addresses = {**addresses_of_library(answers), **found}
    addressed = {kind for kinds in addresses.values() for kind in kinds}
    _write_others(shapes, sources, (addressed | answering) - OURS)
    _write_lines("addresses.json", addresses)


def _write_others(shapes: "Shapes", sources: Path, kinds: Collection[str]) -> None:
    """Write the schemas of these kinds. The library has the kinds that the document lacks."""
    described = {kind: shapes.of_other(kind) for kind in kinds if shapes.has(kind)}
    modules = {kind: name for kind, name in library_modules(sources).items() if kind in kinds}
    new = {kind: all_fields(sources, modules[kind]) for kind in modules.keys() - described}
    bare = dict.fromkeys(kinds, BARE)
    _write_lines("others.json", {**bare, **new, **described})


def _write_lines(name: str, entries: Mapping[str, object]) -> None:
    """Write a file with one entry per line, so that a diff lists the changed entries."""
    lines = (f"{json.dumps(key)}:{_compact(entries[key])}" for key in sorted(entries))
    (OBJECTS / name).write_text("{\n" + ",\n".join(lines) + "\n}\n", encoding="utf-8")


def _reached() -> set[str]:
    """Return the kinds of objects that our objects refer to, directly or over another object."""
    fields_of = json.loads((OBJECTS / "expandable.json").read_text("utf-8"))
    reached = set(OURS)
    for _ in range(STEPS):
        reached |= {kind for own in reached for kind in _referred(fields_of[own])}
    return reached


def _referred(value: object) -> Iterator[str]:
    """Yield the kinds in a value of `expandable.json`."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, list):
        yield from value
    elif isinstance(value, dict):
        for inner in value.values():
            yield from _referred(inner)


def read_addresses(document: Schema, kinds: Collection[str]) -> dict[str, list[str]]:
    """Return the addresses below which Stripe answers an object by its id, with the kinds that it answers there.

    Such an address is `/v1/charges`, or `/v1/customers/{customer}/sources`.
    """
    addresses: dict[str, list[str]] = {}
    for path, operations in sorted(document["paths"].items()):
        address, _, last = path.rpartition("/")
        answers = answered(operations.get("get", {}), document["components"]["schemas"])
        found = sorted(set(answers).intersection(kinds))
        if found and last.startswith("{"):
            addresses[address] = found
    return addresses


def _write(folder: Path, kind: str, shape: Schema) -> None:
    folder.mkdir(exist_ok=True)
    (folder / f"{kind.replace('.', '_')}.json").write_text(_one_field_a_line(shape), "utf-8")


def _with_new_fields(shape: Schema, today: dict[str, Schema]) -> Schema:
    """Return the shape with the fields that only the library has. They are null unless a parameter sets them."""
    new = {name: field for name, field in today.items() if name not in shape["properties"]}
    fields = {**shape["properties"], **new}
    return {
        "required": sorted({*shape["required"], *new}),
        "properties": {name: fields[name] for name in sorted(fields)},
    }


def _one_field_a_line(schema: Schema) -> str:
    """Return the schema with one field per line, so that a diff lists the changed fields."""
    fields = ",\n".join(
        f"{json.dumps(name)}:{_compact(field)}" for name, field in schema["properties"].items()
    )
    required = _compact(schema["required"])
    return f'{{"type":"object","required":{required},"properties":{{\n{fields}\n}}}}\n'


def _compact(value: object) -> str:
    return json.dumps(value, separators=(",", ":"))


class Shapes:
    """Stripe's response schemas with resolved references, reduced to types and structure."""

    def __init__(self, components: dict[str, Schema]) -> None:
        self._components = components

    def has(self, name: str) -> bool:
        """Return whether the document describes an object, and not only a file of any form."""
        return bool(self._components.get(name, {}).get("properties"))

    def of_object(self, name: str) -> Schema:
        return self._object(self._components[name], depth=0)

    def of_other(self, name: str) -> Schema:
        return self._object(self._components[name], depth=DEPTH - DEPTH_OF_OTHERS)

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
            return self._resolve(_name(schema["$ref"]), depth)
        if "anyOf" in schema:
            return self._not_null(schema["anyOf"][0], depth)
        if schema.get("type") == "array":
            return {"type": "array", "items": self._shape(schema["items"], depth)}
        if schema.get("type") == "object":
            return self._object(schema, depth)
        return _scalar(schema)

    def _resolve(self, name: str, depth: int) -> Schema:
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
        """Return the schema of an object with only its required fields."""
        needed = {
            name: self._shape(fields[name], depth + 1)
            for name in required
            if not fields[name].get("nullable")
        }
        if not needed:
            return {"type": "object"}
        return {"type": "object", "required": list(needed), "properties": needed, "open": True}

    def _list(self, fields: Schema, depth: int) -> Schema:
        """Return the schema of a list inside an object, such as the items of a subscription."""
        items = fields["data"]["items"]
        element = self._components[_name(items["$ref"])] if "$ref" in items else {}
        url = fields["url"].get("pattern", "/v1").removeprefix("^")
        return {"type": "object", "list": self._object(element, depth), "url": url}


def _scalar(schema: Schema) -> Schema:
    shape: Schema = {"type": schema.get("type", "string")}
    if schema.get("format") in ("unix-time", "decimal"):
        shape["format"] = schema["format"]
    if 0 < len(schema.get("enum", ())) <= LARGEST_ENUM:
        shape["enum"] = schema["enum"]
    return shape


def _always_there(schema: Schema) -> list[str]:
    """Return the fields that every answer has: the required ones, and the nullable ones, which Stripe sends as null."""
    required = schema.get("required", ())
    fields = schema["properties"].items()
    return [name for name, field in fields if name in required or field.get("nullable")]


def _expands_to(schema: Schema) -> str:
    return _name(schema["x-expansionResources"]["oneOf"][0]["$ref"])


def _name(reference: str) -> str:
    return reference.rpartition("/")[2]


if __name__ == "__main__":
    main(Path(sys.argv[1]))
