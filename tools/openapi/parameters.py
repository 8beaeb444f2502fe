"""Stripe's create parameters: the schemas the API checks with, as components of the document."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from openapi import references
from paydispatch.domain.parameters.check import parameter_schema

if TYPE_CHECKING:
    from openapi.references import Node
    from paydispatch.domain.resources import Resource

_DEFINITION = "#/$defs/"


def params_name(row: Resource) -> str:
    """`price_params`. What its schema shares within itself follows as `price_params.tiers`."""
    return f"{row.identifier}_params"


def params_schemas(row: Resource) -> dict[str, Node]:
    """The object's parameter schema and its `$defs`, each a component."""
    name = params_name(row)
    own: Node = _pointing(parameter_schema(row.name), name)
    definitions = own.pop("$defs", {})
    del own["$schema"]  # said once, by the document
    shared = {f"{name}.{key}": part for key, part in definitions.items()}
    return {name: own} | shared


def _pointing(node: Any, name: str) -> Any:
    """A copy whose references lead to the components of `name`."""
    if isinstance(node, list):
        return [_pointing(entry, name) for entry in node]
    if not isinstance(node, dict):
        return node
    target = node.get("$ref")
    if isinstance(target, str):
        return references.schema(f"{name}.{target.removeprefix(_DEFINITION)}")
    return {key: _pointing(part, name) for key, part in node.items()}
