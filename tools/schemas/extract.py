"""Writes the sources' own descriptions of the operations, for the tests.

The tests generate bodies from these files instead of our schemas, so that they find mistakes in the conversion. The
part of the document is also enough to generate every file again.
"""

import gzip
import json
from collections.abc import Collection
from pathlib import Path
from typing import Any

from document import Schema
from document_paths import METHODS


def extract_document(document: Schema, calls: Collection[tuple[str, str]]) -> Schema:
    """Return the part of the document that is about the v1 writes and about the lists at their paths.

    `calls` are the method and the path of each operation. Other writes keep nothing but their paths. The answers keep
    the names of their fields.
    """
    writes = {path for path, methods in document["paths"].items() if _is_write(path, methods)}
    return {
        "info": {"version": document["info"]["version"]},
        "paths": {
            path: {
                method: _call(document["paths"][path][method], (method.upper(), path) in calls)
                for method in METHODS
                if method in document["paths"][path]
            }
            for path in sorted(writes)
        },
        "components": {"schemas": _answers(document, writes)},
    }


def _is_write(path: str, methods: Schema) -> bool:
    return path.startswith("/v1/") and bool({"post", "delete"} & methods.keys())


def _call(operation: Schema, is_kept: bool) -> Schema:
    body = operation.get("requestBody", {"content": {}})
    answer = {"application/json": {"schema": _outline(_content(operation))}}
    return {
        "parameters": [_parameter(entry) for entry in operation.get("parameters", ())],
        "requestBody": body if is_kept else {"content": {name: {} for name in body["content"]}},
        "responses": {"200": {"content": answer}},
    }


def _parameter(parameter: Schema) -> Schema:
    return {name: parameter[name] for name in ("name", "in", "required") if name in parameter}


def _outline(schema: Schema) -> Schema:
    """Return the reference of an answer, or the names of its fields."""
    if "$ref" in schema:
        return {"$ref": schema["$ref"]}
    return {"properties": {name: {} for name in schema.get("properties", ())}}


def _answers(document: Schema, writes: Collection[str]) -> dict[str, Schema]:
    """Return the outline of each component that is the answer of a write."""
    names = {
        schema["$ref"].rpartition("/")[2]
        for path in writes
        for method in METHODS
        if method in document["paths"][path]
        for schema in [_content(document["paths"][path][method])]
        if "$ref" in schema
    }
    schemas = document["components"]["schemas"]
    return {name: _outline(schemas[name]) for name in sorted(names)}


def _content(operation: Schema) -> Schema:
    schema: Schema = operation["responses"]["200"]["content"]["application/json"]["schema"]
    return schema


def write_extract(path: Path, extract: dict[str, Any]) -> None:
    """Write `extract`, compressed. Do not write equal content again, because compressors differ."""
    if not path.exists() or _read(path) != extract:
        path.write_bytes(gzip.compress(json.dumps(extract).encode(), mtime=0))


def _read(path: Path) -> Any:
    return json.loads(gzip.decompress(path.read_bytes()))
