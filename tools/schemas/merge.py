"""Joins the schema of the OpenAPI document with that of the official library.

The library is newer, so it decides the names, the values of enumerations and the types of today. The document adds
lengths, formats and patterns. The result is the union of both. A part that only the document has carries the keyword
`x-until` with the document's version, because Stripe's version of today may refuse it. A field is required if both
require it, or if only the library has it and requires it.
"""

from document import Schema

from paydispatch.domain.parameters.versions import UNTIL

LIMITS = ("maxLength", "format", "pattern", "deprecated")
"""The keywords that only the document has."""


def merge(document: Schema, library: Schema, version: str) -> Schema:
    """Return the union of two schemas of the same field. `version` is that of the document."""
    older, today = _branches(document), _branches(library)
    merged = [_merge_branch(branch, today, version) for branch in older]
    known = {_kind(branch) for branch in older}
    merged += [[branch] for branch in today if _kind(branch) not in known]
    branches = [branch for group in merged for branch in group]
    if len(branches) == 1:
        return branches[0]
    deprecated = {"deprecated": True} if document.get("deprecated") else {}
    return {"anyOf": branches, **deprecated}


def mark(schema: Schema, version: str) -> Schema:
    """Return the schema of a part that only the document of `version` has."""
    return {**schema, UNTIL: version}


def _branches(schema: Schema) -> list[Schema]:
    branches: list[Schema] = schema.get("anyOf", [schema])
    return branches


def _kind(branch: Schema) -> str:
    """Return the kind of value that a branch is for. Two branches of one kind describe the same alternative."""
    if "const" in branch:
        return "unset"
    if "enum" in branch:
        return "enum"
    if branch["type"] == "object" and "properties" not in branch:
        return "map"
    return str(branch["type"])


def _merge_branch(older: Schema, today: list[Schema], version: str) -> list[Schema]:
    same = next((branch for branch in today if _kind(branch) == _kind(older)), None)
    if same is None:
        return [mark(older, version)]
    match _kind(older):
        case "enum":
            return _merge_values(older, same, version)
        case "object":
            return [_merge_objects(older, same, version)]
        case "array":
            return [{**older, "items": merge(older["items"], same["items"], version)}]
        case "map":
            return [_merge_maps(older, same, version)]
    return [{**same, **{name: older[name] for name in LIMITS if name in older}}]


def _merge_values(older: Schema, today: Schema, version: str) -> list[Schema]:
    gone = sorted({*older["enum"]} - {*today["enum"]})
    kept = {**older, "enum": _in_order(today["enum"], older["enum"])}
    return [kept, mark({"enum": gone}, version)] if gone else [kept]


def _in_order(values: list[str], order: list[str]) -> list[str]:
    """Return `values` in the order of the document if it has them all, else sorted."""
    return order if {*values} == {*order} else sorted(values)


def _merge_objects(older: Schema, today: Schema, version: str) -> Schema:
    old, new = older["properties"], today["properties"]
    merged = {
        name: merge(old[name], new[name], version) if name in new else mark(old[name], version)
        for name in old
    }
    fields = {**{name: new[name] for name in new}, **merged}
    joined = {
        **older,
        "required": _required(older, today),
        "properties": {name: fields[name] for name in sorted(fields)},
    }
    return {key: value for key, value in joined.items() if key != "required" or value}


def _required(older: Schema, today: Schema) -> list[str]:
    """Return the fields that today requires, and that the document requires too if it has them.

    A false refusal is worse than a late error.
    """
    optional = older["properties"].keys() - {*older.get("required", ())}
    return [name for name in today.get("required", ()) if name not in optional]


def _merge_maps(older: Schema, today: Schema, version: str) -> Schema:
    values, others = older["additionalProperties"], today["additionalProperties"]
    if isinstance(values, dict) and isinstance(others, dict):
        return {**older, "additionalProperties": merge(values, others, version)}
    return older
