"""Validators of the schemas in the OpenAPI document, which has too many components to compile all of them each time."""

from __future__ import annotations

import json
import re
from functools import cache
from typing import TYPE_CHECKING, Any

import jsonschema_rs
from openapi.document import document

from paydispatch.domain.stripe.operations import all_operations

if TYPE_CHECKING:
    from collections.abc import Iterable

    from paydispatch.domain.stripe.operations import Operation

_REFERENCE = re.compile(r'"#/components/schemas/([^"]+)"')


def validator(schema: dict[str, Any], *, strict: frozenset[str] = frozenset()) -> Any:
    """Return a validator of `schema`. The components in `strict` have no other fields than those they name."""
    return _validator(json.dumps(schema), strict)


@cache
def _validator(text: str, strict: frozenset[str]) -> jsonschema_rs.Draft202012Validator:
    schemas = {name: json.loads(_text_of(name)) for name in _reached(text)}
    for name in schemas.keys() & strict:
        if "properties" in schemas[name]:
            schemas[name]["additionalProperties"] = False
    root = {**json.loads(text), "components": {"schemas": schemas}}
    return jsonschema_rs.Draft202012Validator(root)


def part_of_document(operations: Iterable[Operation]) -> dict[str, Any]:
    """Return the document with the paths of these operations and of no others, and with the schemas that it needs."""
    left_out = {row.path for row in all_operations()} - {row.path for row in operations}
    paths = {path: call for path, call in document()["paths"].items() if path not in left_out}
    components = {**document()["components"], "schemas": {}}
    whole = {**document(), "paths": paths, "components": components}
    whole["paths"].pop("/v1/batches")  # its schema needs every other one
    names = _reached(json.dumps(whole))
    schemas = {name: document()["components"]["schemas"][name] for name in sorted(names)}
    return {**whole, "components": {**components, "schemas": schemas}}


def _reached(text: str) -> set[str]:
    """Return the names of the schemas that a text refers to, and those that they refer to."""
    names, waiting = set[str](), [text]
    while waiting:
        found = set(_REFERENCE.findall(waiting.pop())) - names
        names |= found
        waiting += [_text_of(name) for name in found]
    return names


@cache
def _text_of(name: str) -> str:
    return json.dumps(document()["components"]["schemas"][name])
