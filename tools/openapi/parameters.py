"""Makes components of the document from the schemas with which the API checks Stripe's create parameters."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from openapi import references
from paydispatch.domain.parameters.check import parameter_schema

if TYPE_CHECKING:
    from openapi.references import Node
    from paydispatch.domain.stripe.resources import Resource

_DEFINITION = "#/$defs/"


def params_name(row: Resource) -> str:
    """Return the component name of an object's parameters: `price_params`, with `$defs` like `price_params.tiers`."""
    return f"{row.identifier}_params"


def params_schemas(row: Resource) -> dict[str, Node]:
    """Return the parameter schema of an object and its `$defs`, each as a component."""
    name = params_name(row)
    own: Node = _redirect(parameter_schema(row.operation), name)
    definitions = own.pop("$defs", {})
    del own["$schema"]  # the document names the dialect for all schemas
    shared = {f"{name}.{key}": part for key, part in definitions.items()}
    return {name: own} | shared


def _redirect(node: Any, name: str) -> Any:
    """Return a copy of `node` in which references point to the components of `name`."""
    if isinstance(node, list):
        return [_redirect(entry, name) for entry in node]
    if not isinstance(node, dict):
        return node
    target = node.get("$ref")
    if isinstance(target, str):
        return references.schema(f"{name}.{target.removeprefix(_DEFINITION)}")
    return {key: _redirect(part, name) for key, part in node.items()}
