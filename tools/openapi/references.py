"""Makes references to the components of the document."""

from typing import Any

Node = dict[str, Any]
"""A part of the document or of a JSON Schema."""


def schema(name: str) -> Node:
    return {"$ref": f"#/components/schemas/{name}"}


def parameter(name: str) -> Node:
    return {"$ref": f"#/components/parameters/{name}"}


def header(name: str) -> Node:
    return {"$ref": f"#/components/headers/{name}"}


def response(name: str) -> Node:
    return {"$ref": f"#/components/responses/{name}"}
