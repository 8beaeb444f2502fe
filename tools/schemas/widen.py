"""Adds the parameters and values that only the official library has to our schemas.

The document leaves out a few parameters that Stripe still accepts: old ones, and some that Stripe enables for an
account on request. `docs/schema-differences.md` lists them.
"""

from collections.abc import Iterator

from document import Schema
from fields import Field, Fields

TYPES = ("string", "integer", "number", "boolean", "object", "array")


def widen(schema: Schema, document: Fields, library: Fields) -> None:
    """Add to `schema`, in place, each field and each value of an enumeration that only `library` has."""
    for path, field in library.items():
        parent, _, name = path.rpartition(".")
        for node in _nodes(schema, parent):
            if path not in document and name.isidentifier() and parent in ("", *document):
                node["properties"].setdefault(name, _schema_of(field))
        if path in document:
            _add_values(schema, path, field.kinds - document[path].kinds)


def _add_values(schema: Schema, path: str, kinds: set[str]) -> None:
    for node in _alternatives_at(schema, path) if _values(kinds) else ():
        if "enum" in node:
            node["enum"] = sorted({*node["enum"], *_values(kinds)})


def _nodes(schema: Schema, path: str) -> Iterator[Schema]:
    """Yield the objects at `path`, one for each alternative."""
    return (node for node in _alternatives_at(schema, path) if "properties" in node)


def _alternatives_at(schema: Schema, path: str) -> list[Schema]:
    found = [schema]
    for step in path.replace("[]", ".[]").split(".") if path else ():
        found = [below for node in found for below in _step(node, step)]
    return found


def _step(node: Schema, step: str) -> list[Schema]:
    below = {"[]": node.get("items"), "*": node.get("additionalProperties")}.get(
        step, node.get("properties", {}).get(step)
    )
    return below.get("anyOf", [below]) if isinstance(below, dict) else []


def _schema_of(field: Field) -> Schema:
    branches: list[Schema] = [{"type": kind} for kind in TYPES if kind in field.kinds]
    if _values(field.kinds):
        branches.append({"enum": _values(field.kinds)})
    return branches[0] if len(branches) == 1 else {"anyOf": branches}


def _values(kinds: set[str]) -> list[str]:
    return sorted(kind[1:-1] for kind in kinds if kind.startswith('"'))
