"""Find the operations that a Python file dispatches, by its calls. A call that is made up at run time is not found."""

from __future__ import annotations

import ast
import re
from typing import TYPE_CHECKING

from paydispatch.domain.stripe.operations import all_operations
from paydispatch.domain.stripe.resources import RESOURCES

if TYPE_CHECKING:
    from collections.abc import Iterator

_BUILDERS = {row.name.replace(".", "_"): row.operation for row in RESOURCES}
_CREATE_ASYNC = re.compile(r"create_(\w+)_async")
_OWNERS = ("flow", "operations")
"""The names of the objects whose methods are operations: the flow of a script, and the module of the SDK."""


def operations_in(text: str) -> dict[str, int]:
    """Return the operations that the file calls, each with the line of its first call.

    Empty for a text that is no Python.
    """
    try:
        tree = ast.parse(text)
    except (SyntaxError, ValueError, RecursionError):
        return {}
    imported = set(_imported(tree))
    found: dict[str, int] = {}
    for call in (node for node in ast.walk(tree) if isinstance(node, ast.Call)):
        if operation := _operation_of(call.func, imported):
            found[operation] = min(call.lineno, found.get(operation, call.lineno))
    return found


def _imported(tree: ast.AST) -> Iterator[str]:
    """Yield the operations that the file imports as functions."""
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and node.module == "paydispatch.operations":
            yield from (name.name for name in node.names)


def _operation_of(called: ast.expr, imported: set[str]) -> str | None:
    if isinstance(called, ast.Name):
        named = called.id if called.id in imported else None
        return named or _by_builder(called.id)
    if not isinstance(called, ast.Attribute):
        return None
    if _last(called.value) in _OWNERS and called.attr in _names():
        return called.attr
    return _by_builder(called.attr)


def _by_builder(name: str) -> str | None:
    create_async = _CREATE_ASYNC.fullmatch(name)
    if create_async:
        return _BUILDERS.get(create_async[1])
    return _BUILDERS.get(name.removeprefix("new_")) if name.startswith("new_") else None


def _last(owner: ast.expr) -> str | None:
    if isinstance(owner, ast.Attribute):
        return owner.attr
    return owner.id if isinstance(owner, ast.Name) else None


def _names() -> set[str]:
    return {operation.name for operation in all_operations()}
