"""Moves repeated parts of a schema to `$defs`, so that the file stays small."""

import json
from collections.abc import Iterator

from document import Schema

REFERENCE_BYTES = len('{"$ref":"#/$defs/"}')


def share(schema: Schema) -> Schema:
    """Return an equivalent schema in which each repeated part is written once."""
    names = _names(schema)
    shared = _replace(schema, names)
    definitions = {name: _replace(json.loads(text), names) for text, name in names.items()}
    used = sorted(_reachable(shared, definitions))
    return {**shared, "$defs": {name: definitions[name] for name in used}} if used else shared


def _names(schema: Schema) -> dict[str, str]:
    """Return the name of each part worth sharing, by its text. The name is the shortest field with that part."""
    fields: dict[str, list[str]] = {}
    for field, part in _parts(schema):
        fields.setdefault(_text(part), []).append(field)
    names: dict[str, str] = {}
    for text, met in fields.items():
        name = min(met, key=len)
        if _saves(len(met), len(text), len(name)):
            names[text] = _free(name, set(names.values()))
    return names


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
