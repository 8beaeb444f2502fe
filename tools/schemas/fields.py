"""Reduces schemas to their fields, so that two of them can be compared.

A field has a path (`items[].price`, `metadata.*`), a flag whether it is required, and a set of kinds. A kind is
`string`, `integer`, `object` …, or a quoted value of an enumeration.
"""

from dataclasses import dataclass, field

from document import Schema


@dataclass
class Field:
    """One parameter as described by one source."""

    required: bool
    kinds: set[str] = field(default_factory=set)

    def __str__(self) -> str:
        return f"{'required ' if self.required else ''}{' or '.join(sorted(self.kinds))}"


Fields = dict[str, Field]


def schema_fields(schema: Schema) -> Fields:
    """Return every field of a schema by its path."""
    fields: Fields = {}
    _object("", schema, fields)
    return fields


def _object(path: str, node: Schema, fields: Fields) -> None:
    for name, part in node.get("properties", {}).items():
        _field(f"{path}.{name}".lstrip("."), part, name in node.get("required", ()), fields)
    if isinstance(node.get("additionalProperties"), dict):
        _field(f"{path}.*", node["additionalProperties"], False, fields)


def _field(path: str, node: Schema, required: bool, fields: Fields) -> None:
    kinds = fields.setdefault(path, Field(required)).kinds
    for branch in node.get("anyOf", [node]):
        kinds |= _kinds(branch)
        _object(path, branch, fields)
        if "items" in branch:
            _field(f"{path}[]", branch["items"], False, fields)
    if "string" in kinds:
        kinds.discard('""')


def _kinds(node: Schema) -> set[str]:
    values = [node["const"]] if "const" in node else node.get("enum")
    if values is not None:
        return {f'"{value}"' for value in values}
    return {"decimal" if node.get("format") == "decimal" else node["type"]}


def difference(ours: Field | None, theirs: Field | None) -> tuple[str, str] | None:
    """Return the differing part of each side, or `None` if they agree. A side without the field is absent."""
    if ours == theirs:
        return None
    if ours is None or theirs is None:
        return str(ours or "absent"), str(theirs or "absent")
    common = ours.kinds & theirs.kinds
    if ours.required == theirs.required and len(common) > 1:
        ours, theirs = (Field(False, side.kinds - common) for side in (ours, theirs))
    return str(ours) or "no more", str(theirs) or "no more"
