"""Warm operations: read and compile at a program's start what their first requests need.

Otherwise the first request of an operation waits for this once, in each process.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from paydispatch.domain.parameters.check import compile_schemas
from paydispatch.domain.stripe.operations import operation_at, operation_named

if TYPE_CHECKING:
    from collections.abc import Iterable


def warm_operations(names: Iterable[str], version: str) -> None:
    """Load the schema engine, which every request needs, and compile the schemas of these operations for this version.

    Also read the paths of all operations, because the ids of a path are checked against them. Raises
    `UnknownOperation`.
    """
    import jsonschema_rs  # noqa: F401

    for name in names:
        operation = operation_named(name)
        operation_at(operation.method, operation.path)
        compile_schemas(name, version)
