"""Moves repeated parts of the schemas of an object to `$defs`, so that its file stays small."""

import json
from collections.abc import Iterator, Mapping

from document import Schema

from paydispatch.domain.parameters.versions import UNTIL

REFERENCE_BYTES = len('{"$ref":"#/$defs/"}')


def share(schemas: Mapping[str, Schema]) -> tuple[dict[str, Schema], dict[str, Schema]]:
    """Return equivalent schemas in which repeated parts are references, and the definitions of these parts by name.

    The first schema decides the names of its own parts, and it does not refer to those that only the others repeat.
    Therefore another operation of an object changes nothing in its create.
    """
    first, *others = schemas
    own = _names([schemas[first]], {})
    names = {**own, **_names([schemas[name] for name in others], own)}
    shared = {first: _replace(schemas[first], own)}
    shared |= {name: _replace(schemas[name], names) for name in others}
    definitions = {
        name: _replace(json.loads(text), own if text in own else names)
        for text, name in names.items()
    }
    used = sorted(set().union(*(_reachable(schema, definitions) for schema in shared.values())))
    return shared, {name: definitions[name] for name in used}


def _names(schemas: list[Schema], taken: dict[str, str]) -> dict[str, str]:
    """Return the name of each part worth sharing, by its text. The name is the shortest field with that part.

    `taken` has the parts that have a name already.
    """
    fields: dict[str, list[str]] = {}
    for schema in schemas:
        for field, part in _parts(schema):
            fields.setdefault(_text(part), []).append(field)
    names: dict[str, str] = {}
    for text, met in fields.items():
        name = min(met, key=len)
        if text not in taken and not _is_older(text) and _saves(len(met), len(text), len(name)):
            names[text] = _free(name, {*taken.values(), *names.values()})
    return names


def _is_older(text: str) -> bool:
    """Return whether the version of today lacks the part. A definition cannot be left out, but a field can."""
    return UNTIL in json.loads(text)


def _saves(count: int, part_bytes: int, name_bytes: int) -> bool:
    """Return whether `count` references and one definition are shorter than `count` copies."""
    reference_bytes = REFERENCE_BYTES + name_bytes
    return count * reference_bytes + part_bytes + name_bytes + 4 < count * part_bytes


def _parts(node: Schema, name: str = "") -> Iterator[tuple[str, Schema]]:
    """Yield every subschema below `node` with the name of its field, outermost first."""
    for key, sub in _subschemas(node):
        label = key or name
        yield label, sub
        yield from _parts(sub, label)


def _subschemas(node: Schema) -> Iterator[tuple[str, Schema]]:
    yield from node.get("properties", {}).items()
    for key in ("items", "additionalProperties"):
        if isinstance(node.get(key), dict):
            yield "", node[key]
    for branch in node.get("anyOf", ()):
        yield "", branch


def _replace(node: Schema, names: dict[str, str]) -> Schema:
    """Return `node` with a reference for each subschema that has a name."""
    replaced = dict(node)
    if "properties" in node:
        replaced["properties"] = {k: _reference(v, names) for k, v in node["properties"].items()}
    for key in ("items", "additionalProperties"):
        if isinstance(node.get(key), dict):
            replaced[key] = _reference(node[key], names)
    if "anyOf" in node:
        replaced["anyOf"] = [_reference(branch, names) for branch in node["anyOf"]]
    return replaced


def _reference(node: Schema, names: dict[str, str]) -> Schema:
    name = names.get(_text(node))
    return {"$ref": f"#/$defs/{name}"} if name else _replace(node, names)


def _reachable(node: Schema, definitions: dict[str, Schema]) -> set[str]:
    found: set[str] = set()
    waiting = [node]
    while waiting:
        for _, part in _parts(waiting.pop()):
            name = part.get("$ref", "").removeprefix("#/$defs/")
            if name and name not in found:
                found.add(name)
                waiting.append({"anyOf": [definitions[name]]})
    return found


def _free(name: str, taken: set[str]) -> str:
    number, candidate = 1, name
    while candidate in taken:
        number += 1
        candidate = f"{name}_{number}"
    return candidate


def _text(node: Schema) -> str:
    return json.dumps(node, sort_keys=False, separators=(",", ":"))
