"""Makes components of the document from the schemas with which the API checks Stripe's create parameters."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from openapi import references
from paydispatch.domain.parameters.check import parameter_schema

if TYPE_CHECKING:
    from openapi.references import Node
    from paydispatch.domain.stripe.operations import Operation

_DEFINITION = "#/$defs/"


def params_name(operation: Operation) -> str:
    """Return the component name of an operation's parameters: `create_price_params`."""
    return f"{operation.name}_params"


def params_schemas(operation: Operation) -> dict[str, Node]:
    """Return the parameter schema of an operation and its `$defs`, each as a component.

    The operations of an object share their `$defs`, such as `price.tiers`.
    """
    shared_name = operation.object.replace(".", "_")
    own: Node = _redirect(parameter_schema(operation.name), shared_name)
    definitions = own.pop("$defs", {})
    del own["$schema"]  # the document names the dialect for all schemas
    shared = {f"{shared_name}.{key}": part for key, part in definitions.items()}
    return {params_name(operation): own} | shared


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
