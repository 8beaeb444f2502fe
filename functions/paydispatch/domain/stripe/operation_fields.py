"""Read the fields with which a request names its operation: `operation` and `path`, or the `object` of its create."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from paydispatch.domain.credentials import check_holds_no_key
from paydispatch.domain.errors import InvalidField, UnknownObject, UnknownOperation
from paydispatch.domain.stripe.operations import (
    all_operations,
    check_path_ids,
    create_operation,
    operation_named,
)

if TYPE_CHECKING:
    from collections.abc import Mapping

    from paydispatch.domain.stripe.operations import Operation


def operation_of(fields: Mapping[str, Any]) -> Operation:
    """Return the operation that a request names. An `object` alone means its create. Raises `BadRequest`."""
    name, object_name = _text(fields, "operation"), _text(fields, "object")
    if name is not None:
        return operation_named(name)
    if object_name is None:
        raise InvalidField(
            "object",
            "Missing required field: object (or operation, with the ids of its path in path).",
            code="parameter_missing",
        )
    return create_of_object(object_name)


def create_of_object(object_name: str) -> Operation:
    """Return the create of an object. Raises `UnknownObject`."""
    try:
        return create_operation(object_name)
    except UnknownOperation:
        known = [operation.object for operation in all_operations() if operation.creates]
        raise UnknownObject(object_name, known=known) from None


def check_path(operation: Operation, path: object) -> None:
    """Check the ids in the path of an operation. Raises `InvalidField`, with the `param` `path[<name>]`."""
    if not isinstance(path, dict):
        raise InvalidField(
            "path", 'path must be a JSON object with the ids in Stripe\'s path: {"intent": "pi_1"}.'
        )
    if not path and "{" not in operation.path:
        return  # the most frequent request, a create, costs nothing here
    for name, value in path.items():
        check_holds_no_key("path", name)
        check_holds_no_key(f"path[{name}]", value)
    check_path_ids(operation, path)


def check_same_operation(
    body: Mapping[str, Any], operation: Operation, path: Mapping[str, str]
) -> None:
    """Check that the operation, the object and the path that a body names fit together. Raises `InvalidField`."""
    right = {"operation": operation.name, "object": operation.object, "path": path}
    for name, value in right.items():
        if body.get(name) not in (None, value):
            raise InvalidField(
                name,
                f"{name} does not fit: this is a {operation.name} of a {operation.object}. Leave `{name}` out.",
            )


def _text(fields: Mapping[str, Any], name: str) -> str | None:
    value = fields.get(name)
    if value is None:
        return None
    if not isinstance(value, str):
        raise InvalidField(name, f"{name} must be a text.")
    check_holds_no_key(name, value)
    return value
