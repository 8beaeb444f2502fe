"""Read a parameter schema in the ways that other versions of Stripe's API need.

A generated schema joins two versions. A part that only the older version has carries the keyword `x-until`.
"""

from __future__ import annotations

from typing import Any

UNTIL = "x-until"
"""The keyword of a part that Stripe no longer has. Its value is the version that still has it."""


def of_today(node: Any) -> Any:
    """Return a copy of a schema without the parts that only the older version has."""
    if isinstance(node, list):
        return [of_today(part) for part in node if not _is_older(part)]
    if isinstance(node, dict):
        return {key: of_today(part) for key, part in node.items() if not _is_older(part)}
    return node


def of_any_version(node: Any) -> Any:
    """Return a copy of a schema that accepts other names and other values of enumerations. All else is as before."""
    if isinstance(node, list):
        return [of_any_version(part) for part in node]
    if not isinstance(node, dict):
        return node
    if "enum" in node:
        return {"type": "string"}
    closed = node.get("additionalProperties") is False
    return {
        key: of_any_version(part)
        for key, part in node.items()
        if not (closed and key == "additionalProperties")
    }


def _is_older(part: Any) -> bool:
    return isinstance(part, dict) and UNTIL in part
